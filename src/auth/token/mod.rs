//! Access tokens: JWTs (RFC 9068) signed with a key of the tenant. <https://www.rfc-editor.org/rfc/rfc9068>

mod access;
mod key;
mod keys;
mod ring;

pub(super) use access::{APP_LIFETIME_S, IdClaims, LIFETIME_S, PersonClaims};
pub use access::{AccessToken, Claims};
pub(super) use keys::PUBLISHED_S;
pub use keys::{KeyError, Keys, rotate};
pub(super) use ring::install;
