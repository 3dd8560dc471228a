//! A ring of the latest samples that can always be read as one contiguous slice.

use serde::{Deserialize, Serialize};

/// Every sample is written twice, `length` apart, so that the latest `length` samples lie side by side.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct History {
    buffer: Vec<f32>,
    length: usize,
    next: usize,
}

impl History {
    pub(super) fn new(length: usize) -> Self {
        let length = length.max(1);
        Self { buffer: vec![0.0; 2 * length], length, next: 0 }
    }

    pub(super) fn fill(&mut self, value: f32) {
        self.buffer.fill(value);
    }

    pub(super) fn push(&mut self, value: f32) {
        self.buffer[self.next] = value;
        self.buffer[self.next + self.length] = value;
        self.next += 1;
        if self.next == self.length {
            self.next = 0;
        }
    }

    /// The latest `length` samples, oldest first.
    pub(super) fn latest(&self) -> &[f32] {
        &self.buffer[self.next..self.next + self.length]
    }

    /// The samples from `reach` before to `reach` after the one that is `age` samples older than the newest. What lies
    /// outside the ring is left off.
    pub(super) fn around(&self, age: usize, reach: usize) -> &[f32] {
        let middle = (self.length - 1).saturating_sub(age);
        &self.latest()[middle.saturating_sub(reach)..(middle + reach + 1).min(self.length)]
    }
}
