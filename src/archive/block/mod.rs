//! The block: what the archive is made of. Pure: bytes in, bytes out.
//!
//! ```text
//! offset  length  what
//! 0       8       "afferent"
//! 8       1       version of this layout: 1
//! 9       4       length H of the header, little-endian
//! 13      H       the header: JSON in UTF-8, see [`Header`]
//! 13+H    …       the packets ([`records`]), compressed (zstd), sealed: AES-256-GCM, its 16 bytes of tag last
//! ```
//! The associated data of the seal is everything before it, so the header can be read without a key and not be changed
//! without one. A block is named by the SHA-256 of all its bytes, and its header holds the name of the device's block before
//! it: whoever knows the newest name knows them all.
//!
//! A block is sealed under a key of its own: HKDF-SHA256 of the data key, with the header's 32 random bytes as salt and
//! [`INFO`] as info, gives 76 bytes: 32 of key, 12 of nonce, 32 of key for the digest. So no pair of key and nonce is ever
//! used twice, whatever database or backup the archive continues from.

mod header;
pub mod records;
#[cfg(test)]
mod tests;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::{hkdf, hmac};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

pub use header::{Hash, Header, StreamRange};
pub use records::Packet;

use super::key::DataKey;

/// The layout this module writes.
pub const VERSION: u8 = 1;
/// What the keys of a block are for.
pub const INFO: &[u8] = b"afferent archive block 1";

const MAGIC: &[u8; 8] = b"afferent";
const FIXED: usize = 13;
const TAG: usize = 16;
/// No header is near this long; a length beyond it is damage.
const HEADER_MOST: usize = 1 << 20;
/// No block is near this long.
const SIZE_MOST: u64 = 1 << 30;
const LEVEL: i32 = 3;

/// A block as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// SHA-256 of `bytes`.
    pub name: Hash,
    /// What stands in front.
    pub header: Header,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// What a block is made of, besides its packets.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Whose packets they are.
    pub chain: super::ChainKey,
    /// The device's block before it.
    pub previous: Option<Hash>,
    /// The block's number, from 1 on.
    pub number: u64,
    /// The data key's id.
    pub key: String,
    /// 32 random bytes, never used before.
    pub salt: [u8; 32],
}

/// What is wrong with a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// It does not start as a block does.
    #[error("it is no block, or cut off in its header")]
    Shape,
    /// A layout this version cannot read.
    #[error("its layout has version {0}, which this program cannot read")]
    Version(u8),
    /// The header is not what it should be.
    #[error("its header cannot be read: {0}")]
    Header(String),
    /// The seal does not fit: changed, cut off, or another key.
    #[error("its seal is broken, or the key is another's")]
    Seal,
    /// Sealed, but not what its header says.
    #[error("its packets are not what its header says: {0}")]
    Content(&'static str),
    /// A packet is not what the journal said when it became durable.
    #[error("the packet at journal position {0} does not have the SHA-256 it was acknowledged with")]
    Packet(i64),
    /// No room for it, or a library failed.
    #[error("it cannot be made: {0}")]
    Make(&'static str),
}

/// Makes a block of packets in the order of their journal positions.
///
/// # Errors
/// [`BlockError::Packet`] where one is damaged, [`BlockError::Make`] where there is none.
pub fn seal(draft: Draft, packets: &[Packet], key: &DataKey) -> Result<Sealed, BlockError> {
    if let Some(damaged) = packets.iter().find(|p| Hash(Sha256::digest(&p.json).into()) != p.sha256) {
        return Err(BlockError::Packet(damaged.position));
    }
    let keys = Keys::of(key, &draft.salt)?;
    let records = records::write(packets);
    let header = Header::of(draft, packets, records.len() as u64, keys.digest(packets))
        .ok_or(BlockError::Make("it has no packets"))?;
    let text = serde_json::to_vec(&header).map_err(|_| BlockError::Make("its header cannot be written"))?;
    let length = u32::try_from(text.len()).map_err(|_| BlockError::Make("its header is too long"))?;
    let mut body =
        zstd::bulk::compress(&records, LEVEL).map_err(|_| BlockError::Make("its packets cannot be compressed"))?;
    let mut bytes = Vec::with_capacity(FIXED + text.len() + body.len() + TAG);
    bytes.extend_from_slice(MAGIC);
    bytes.push(VERSION);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&text);
    keys.key
        .seal_in_place_append_tag(keys.nonce(), Aad::from(&bytes), &mut body)
        .map_err(|_| BlockError::Make("it is too long to be sealed"))?;
    bytes.extend_from_slice(&body);
    Ok(Sealed { name: Hash::of(&bytes), header, bytes })
}

/// What stands in front of a block, for whoever has no key.
///
/// # Errors
/// It is no block of a version known here, or cut off.
pub fn header(bytes: &[u8]) -> Result<Header, BlockError> {
    Ok(split(bytes)?.0)
}

/// The packets of a block, each held against the header.
///
/// # Errors
/// Whatever is wrong with it.
pub fn open(bytes: &[u8], key: &DataKey) -> Result<(Header, Vec<Packet>), BlockError> {
    let (header, front, sealed) = split(bytes)?;
    let keys = Keys::of(key, &header.salt.0)?;
    let mut body = sealed.to_vec();
    let plain = keys.key.open_in_place(keys.nonce(), Aad::from(front), &mut body).map_err(|_| BlockError::Seal)?;
    if header.size > SIZE_MOST {
        return Err(BlockError::Content("too large"));
    }
    let records = zstd::bulk::decompress(plain, header.size as usize)
        .map_err(|_| BlockError::Content("they do not decompress to the size it names"))?;
    let packets =
        records::read(&records, &header.streams).ok_or(BlockError::Content("they do not end where they should"))?;
    let draft = Draft {
        chain: super::ChainKey { tenant: header.tenant.clone(), device: header.device.clone() },
        previous: header.previous,
        number: header.number,
        key: header.key.clone(),
        salt: header.salt.0,
    };
    if Header::of(draft, &packets, records.len() as u64, keys.digest(&packets)).as_ref() != Some(&header) {
        return Err(BlockError::Content("count, ranges or digest differ"));
    }
    Ok((header, packets))
}

/// Header, everything before the seal, the seal.
fn split(bytes: &[u8]) -> Result<(Header, &[u8], &[u8]), BlockError> {
    let fixed = bytes.get(..FIXED).ok_or(BlockError::Shape)?;
    let length = fixed.get(9..).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes).ok_or(BlockError::Shape)?;
    if !fixed.starts_with(MAGIC) || length as usize > HEADER_MOST {
        return Err(BlockError::Shape);
    }
    if fixed.get(8) != Some(&VERSION) {
        return Err(BlockError::Version(fixed.get(8).copied().unwrap_or_default()));
    }
    let (front, sealed) = bytes.split_at_checked(FIXED + length as usize).ok_or(BlockError::Shape)?;
    let text = front.get(FIXED..).unwrap_or_default();
    let header = serde_json::from_slice(text).map_err(|error| BlockError::Header(error.to_string()))?;
    Ok((header, front, sealed))
}

/// What a block is sealed with.
struct Keys {
    key: LessSafeKey,
    nonce: [u8; 12],
    digest: hmac::Key,
}

/// Bytes that are derived.
struct Length;

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        76
    }
}

impl Keys {
    fn of(key: &DataKey, salt: &[u8; 32]) -> Result<Self, BlockError> {
        const FAILED: BlockError = BlockError::Make("its keys cannot be derived");
        let mut derived = Zeroizing::new([0_u8; 76]);
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key.bytes());
        secret.expand(&[INFO], Length).and_then(|okm| okm.fill(&mut *derived)).map_err(|_| FAILED)?;
        let (cipher, rest) = derived.split_at(32);
        let (nonce, digest) = rest.split_at(12);
        Ok(Self {
            key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, cipher).map_err(|_| FAILED)?),
            nonce: nonce.try_into().map_err(|_| FAILED)?,
            digest: hmac::Key::new(hmac::HMAC_SHA256, digest),
        })
    }

    /// Used once to seal, because the salt is.
    fn nonce(&self) -> Nonce {
        Nonce::assume_unique_for_key(self.nonce)
    }

    /// HMAC-SHA256 over the packets' SHA-256. Keyed, because a plain hash of few and simple packets could be guessed by
    /// trying, also after the data key was destroyed.
    fn digest(&self, packets: &[Packet]) -> Hash {
        let mut context = hmac::Context::with_key(&self.digest);
        packets.iter().for_each(|packet| context.update(&packet.sha256.0));
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        Hash(digest)
    }
}
