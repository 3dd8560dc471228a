//! Round trip; whatever is changed or cut off is noticed.

use proptest::prelude::*;

use super::*;
use crate::archive::ChainKey;
use crate::id::{DeviceKey, StreamName, TenantId};
use crate::time::Instant;

fn packets(bodies: &[Vec<u8>]) -> Vec<Packet> {
    let packet = |(n, json): (usize, &Vec<u8>)| Packet {
        stream: StreamName::new(["ecg", "ppg"][n % 2]).unwrap(),
        sequence: u64::MAX - n as u64,
        received: Instant(1_768_744_800_000_000 - n.cast_signed() as i64),
        position: 3 * n.cast_signed() as i64 - 1,
        sha256: Hash::of(json),
        json: json.clone(),
    };
    bodies.iter().enumerate().map(packet).collect()
}

fn draft() -> Draft {
    let chain = ChainKey { tenant: TenantId::new("clinic").unwrap(), device: DeviceKey::new("chest:1").unwrap() };
    Draft { chain, previous: Some(Hash([7; 32])), number: 9, key: "k1".to_owned(), salt: [3; 32] }
}

fn key() -> DataKey {
    DataKey::from([42; 32])
}

fn small_packets() -> Vec<Packet> {
    packets(&[b"{\"a\":1}".to_vec(), b"{}".to_vec()])
}

fn small() -> Sealed {
    seal(draft(), &small_packets(), &key()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_sealed_is_what_is_opened(
        bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..40),
    ) {
        let packets = packets(&bodies);
        let sealed = seal(draft(), &packets, &key()).unwrap();
        let (header, opened) = open(&sealed.bytes, &key()).unwrap();
        prop_assert_eq!(opened, packets);
        prop_assert_eq!(super::header(&sealed.bytes).unwrap(), header);
        prop_assert_eq!(Hash::of(&sealed.bytes), sealed.name);
    }

    #[test]
    fn bytes_of_any_kind_are_refused_and_not_more(bytes in proptest::collection::vec(any::<u8>(), 0..200), prefix in 0_usize..14) {
        let mut bytes = bytes;
        let front = small().bytes;
        bytes.splice(..0, front[..prefix].iter().copied());
        prop_assert!(open(&bytes, &key()).is_err());
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let sealed = small();
    for at in 0..sealed.bytes.len() {
        for bit in 0..8 {
            let mut bytes = sealed.bytes.clone();
            bytes[at] ^= 1 << bit;
            assert!(open(&bytes, &key()).is_err(), "bit {bit} of byte {at}");
            assert_ne!(Hash::of(&bytes), sealed.name);
        }
    }
}

#[test]
fn wherever_it_is_cut_off_is_noticed() {
    let sealed = small();
    for length in 0..sealed.bytes.len() {
        assert!(open(&sealed.bytes[..length], &key()).is_err(), "{length} bytes");
    }
    let longer = [&sealed.bytes[..], &[0]].concat();
    assert_eq!(open(&longer, &key()), Err(BlockError::Seal));
}

#[test]
fn another_key_opens_nothing() {
    assert_eq!(open(&small().bytes, &DataKey::from([43; 32])), Err(BlockError::Seal));
}

#[test]
fn a_damaged_packet_is_not_sealed() {
    let mut packets = packets(&[b"{}".to_vec(), b"{}".to_vec()]);
    packets[1].json = b"{ }".to_vec();
    assert_eq!(seal(draft(), &packets, &key()).unwrap_err(), BlockError::Packet(2));
    assert!(matches!(seal(draft(), &[], &key()), Err(BlockError::Make(_))));
}

/// The layout is a promise: a block that was written once must stay readable. This one is of the first day.
#[test]
fn a_block_of_version_1_is_still_read() {
    let bytes = include_bytes!("version_1.block");
    assert_eq!(Hash::of(bytes).to_string(), "ce9521a985d9b7175f9e3bf67f08ccf1ba4dffed3421351d9b73d4b3203bba30");
    let (header, packets) = open(bytes, &key()).unwrap();
    assert_eq!((header.number, header.streams.len()), (9, 2));
    assert_eq!(packets, small_packets());
}

#[test]
fn a_block_shows_no_packet() {
    let secret = b"{\"values\":[98.6]}".to_vec();
    let sealed = seal(draft(), &packets(std::slice::from_ref(&secret)), &key()).unwrap();
    assert!(!sealed.bytes.windows(4).any(|part| part == b"98.6"));
    let plain_hash = Hash::of(&secret).to_string();
    assert!(!String::from_utf8_lossy(&sealed.bytes).contains(&plain_hash));
}
