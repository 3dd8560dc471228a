//! Signal files: signal(5) of the WFDB Applications Guide. Samples are read where they lie, so a day costs its bytes once.

/// How one sample is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::recording) enum Encoding {
    /// 16: two octets, least significant first.
    I16,
    /// 61: two octets, most significant first.
    I16Big,
    /// 24: three octets, least significant first.
    I24,
    /// 32: four octets, least significant first.
    I32,
    /// 80: one octet, offset by 128.
    Offset8,
    /// 212: two 12-bit samples in three octets.
    Packed12,
    /// 310: three 10-bit samples in two words, the third in what the others leave.
    Packed10Tails,
    /// 311: three 10-bit samples in two words, one after the other.
    Packed10,
}

/// Where a signal's samples lie in a file of interleaved frames.
#[derive(Debug, Clone, Copy)]
pub(in crate::recording) struct Layout {
    pub(in crate::recording) encoding: Encoding,
    /// Octets before the first sample.
    pub(in crate::recording) offset: u64,
    /// Samples of all signals in a frame.
    pub(in crate::recording) per_frame: u64,
    /// Position of this signal's first sample in a frame.
    pub(in crate::recording) first: u64,
    /// Samples of this signal in a frame.
    pub(in crate::recording) count: u64,
}

impl Encoding {
    pub(in crate::recording) fn of(format: u32) -> Option<Self> {
        match format {
            16 => Some(Self::I16),
            24 => Some(Self::I24),
            32 => Some(Self::I32),
            61 => Some(Self::I16Big),
            80 => Some(Self::Offset8),
            212 => Some(Self::Packed12),
            310 => Some(Self::Packed10Tails),
            311 => Some(Self::Packed10),
            _ => None,
        }
    }

    /// Samples in this many octets.
    pub(in crate::recording) fn samples_in(self, octets: u64) -> u64 {
        match self {
            Self::I16 | Self::I16Big => octets / 2,
            Self::I24 => octets / 3,
            Self::I32 => octets / 4,
            Self::Offset8 => octets,
            // A last sample may stand alone in two octets.
            Self::Packed12 => octets / 3 * 2 + u64::from(octets % 3 == 2),
            Self::Packed10Tails | Self::Packed10 => octets / 4 * 3 + u64::from(octets % 4 >= 2),
        }
    }

    /// The count that stands for a missing sample: the lowest there is.
    fn missing(self) -> i32 {
        match self {
            Self::I16 | Self::I16Big => i32::from(i16::MIN),
            Self::I24 => -(1 << 23),
            Self::I32 => i32::MIN,
            Self::Offset8 => -128,
            Self::Packed12 => -(1 << 11),
            Self::Packed10Tails | Self::Packed10 => -(1 << 9),
        }
    }

    fn read(self, bytes: &[u8], index: u64) -> Option<i32> {
        let index = usize::try_from(index).ok()?;
        match self {
            Self::I16 => Some(i32::from(i16::from_le_bytes(at(bytes, index.checked_mul(2)?)?))),
            Self::I16Big => Some(i32::from(i16::from_be_bytes(at(bytes, index.checked_mul(2)?)?))),
            Self::I32 => Some(i32::from_le_bytes(at(bytes, index.checked_mul(4)?)?)),
            Self::I24 => {
                let [low, middle, high] = at(bytes, index.checked_mul(3)?)?;
                Some(i32::from_le_bytes([0, low, middle, high]) >> 8)
            }
            Self::Offset8 => bytes.get(index).map(|octet| i32::from(*octet) - 128),
            Self::Packed12 => {
                let pair = (index / 2).checked_mul(3)?;
                let raw = if index % 2 == 0 {
                    let [low, middle] = at(bytes, pair)?;
                    i32::from(low) | i32::from(middle & 0x0F) << 8
                } else {
                    let [middle, low] = at(bytes, pair.checked_add(1)?)?;
                    i32::from(low) | i32::from(middle >> 4) << 8
                };
                Some(raw << 20 >> 20)
            }
            Self::Packed10Tails | Self::Packed10 => {
                let group = (index / 3).checked_mul(4)?;
                let first = i32::from(u16::from_le_bytes(at(bytes, group)?));
                // A last sample may stand alone in one word.
                let second = || Some(i32::from(u16::from_le_bytes(at(bytes, group.checked_add(2)?)?)));
                let raw = match (self, index % 3) {
                    (Self::Packed10Tails, 0) => first >> 1,
                    (Self::Packed10Tails, 1) => second()? >> 1,
                    (Self::Packed10Tails, _) => first >> 11 | second()? >> 11 << 5,
                    (_, 0) => first,
                    (_, 1) => first >> 10 | second()? << 6,
                    (_, _) => second()? >> 4,
                };
                Some(raw << 22 >> 22)
            }
        }
    }
}

fn at<const N: usize>(bytes: &[u8], position: usize) -> Option<[u8; N]> {
    bytes.get(position..)?.first_chunk::<N>().copied()
}

impl Layout {
    /// The count written for sample `index`, missing ones included.
    pub(in crate::recording) fn raw(&self, bytes: &[u8], index: u64) -> Option<i32> {
        let position = (index / self.count).checked_mul(self.per_frame)? + self.first + index % self.count;
        self.encoding.read(bytes.get(usize::try_from(self.offset).ok()?..)?, position)
    }

    /// The count of sample `index`; none where it is missing.
    pub(in crate::recording) fn sample(&self, bytes: &[u8], index: u64) -> Option<i32> {
        self.raw(bytes, index).filter(|count| *count != self.encoding.missing())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_reads_its_extremes() {
        for (encoding, bytes, expected) in [
            (Encoding::I16, &[0xFF, 0x7F, 0x01, 0x80][..], [32767, -32767]),
            (Encoding::I16Big, &[0x7F, 0xFF, 0x80, 0x01], [32767, -32767]),
            (Encoding::I24, &[0xFF, 0xFF, 0x7F, 0xFE, 0xFF, 0xFF], [8_388_607, -2]),
            (Encoding::I32, &[1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF], [1, -1]),
            (Encoding::Offset8, &[0xFF, 0x01], [127, -127]),
            // 0x7FF and 0x801.
            (Encoding::Packed12, &[0xFF, 0x87, 0x01], [2047, -2047]),
        ] {
            let layout = Layout { encoding, offset: 0, per_frame: 1, first: 0, count: 1 };
            assert_eq!([0, 1].map(|i| layout.sample(bytes, i)), expected.map(Some), "{encoding:?}");
            assert_eq!(layout.sample(bytes, 2), None);
            assert_eq!(encoding.samples_in(bytes.len() as u64), 2);
        }
        assert_eq!(Encoding::Packed12.samples_in(5), 3);
    }

    #[test]
    fn three_samples_of_ten_bits_share_two_words() {
        let samples = [511_i32, -511, -273];
        let bits = samples.map(|s| (s & 0x3FF) as u32);
        let in_turn = bits[0] | bits[1] << 10 | bits[2] << 20;
        let tails = (bits[0] << 1 | (bits[2] & 0x1F) << 11) | (bits[1] << 1 | (bits[2] >> 5) << 11) << 16;
        for (encoding, word) in [(Encoding::Packed10, in_turn), (Encoding::Packed10Tails, tails)] {
            let mut bytes = word.to_le_bytes().to_vec();
            bytes.extend(&word.to_le_bytes()[..2]);
            let layout = Layout { encoding, offset: 0, per_frame: 1, first: 0, count: 1 };
            let read: Vec<_> = (0..5).map(|i| layout.sample(&bytes, i)).collect();
            assert_eq!(read, [Some(511), Some(-511), Some(-273), Some(511), None], "{encoding:?}");
            assert_eq!(encoding.samples_in(6), 4);
        }
    }

    #[test]
    fn the_lowest_count_is_a_missing_sample() {
        let layout = Layout { encoding: Encoding::Packed12, offset: 0, per_frame: 1, first: 0, count: 1 };
        assert_eq!(layout.sample(&[0x00, 0x08, 0x05], 0), None);
        assert_eq!(layout.raw(&[0x00, 0x08, 0x05], 0), Some(-2048));
        assert_eq!(layout.sample(&[0x00, 0x08, 0x05], 1), Some(5));
    }
}
