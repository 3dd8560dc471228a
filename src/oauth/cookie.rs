//! The one cookie: which browser it is, and so who has signed in in it.

use axum::http::{HeaderMap, HeaderValue, header};

use super::request::Place;
use crate::secret::Secret;

/// No other host and no path of this one can set or see a cookie of such a name, and it never goes in the open.
/// Where the server is reached over http it is on this machine, and browsers refuse the name there.
const NAME: &str = "__Host-afferent";
const NAME_HERE: &str = "afferent";

/// Seconds a browser keeps it: as long as a sign-in counts.
const AGE_S: u32 = 8 * 3600;

fn name(place: &Place) -> &'static str {
    if place.is_https() { NAME } else { NAME_HERE }
}

/// The browser's cookie; nothing where it has none, or more than one.
pub(super) fn browser<'a>(place: &Place, headers: &'a HeaderMap) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut own = pairs.filter(|(found, _)| *found == name(place)).map(|(_, value)| value);
    let first = own.next()?;
    // Two are a sign that somebody else has set one.
    own.next().is_none().then_some(first)
}

/// The header that gives a browser its cookie.
pub(super) fn set(place: &Place, cookie: &Secret) -> Option<HeaderValue> {
    let secure = if place.is_https() { "; Secure" } else { "" };
    let text = format!("{}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={AGE_S}{secure}", name(place), cookie.expose());
    HeaderValue::from_str(&text).ok()
}
