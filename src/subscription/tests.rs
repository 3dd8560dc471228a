//! How long is waited.

use super::*;

#[test]
fn waits_double_up_to_ten_minutes() {
    let patience = Patience::default();
    let waits = [1, 2, 3, 10, 11, 60, i64::MAX].map(|failed| patience.wait(failed) / MICROS);
    assert_eq!(waits, [1, 2, 4, 512, 600, 600, 600]);
}
