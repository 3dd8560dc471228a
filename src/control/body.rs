//! What requests and answers of the control plane have in common.

use std::fmt;
use std::marker::PhantomData;

use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::Problem;
use crate::store::{Refusal, StoreError, Written};
use crate::time::Instant;

/// Items on a page, where the caller does not say.
const ITEMS: u32 = 100;
/// Most items on a page.
const MOST_ITEMS: u32 = 1000;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct List<T> {
    /// In the order of their keys.
    items: Vec<T>,
    /// Key the next page comes after; left out on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// `next` of the page before.
    pub(super) after: Option<String>,
    /// Items on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub(super) count: Option<u32>,
}

impl PageQuery {
    /// How many items to read: one more than are answered, to know whether there are more.
    pub(super) fn limit(&self) -> Result<i64, Problem> {
        match self.count.unwrap_or(ITEMS) {
            count @ 1..=MOST_ITEMS => Ok(i64::from(count) + 1),
            _ => Err(invalid("count", format!("must be 1 to {MOST_ITEMS}"))),
        }
    }

    /// The page of all there is, in the order of its keys.
    pub(super) fn of_all<T>(
        &self,
        all: impl Iterator<Item = T>,
        key: impl Fn(&T) -> String,
    ) -> Result<Json<List<T>>, Problem> {
        let most = self.limit()? as usize;
        let mut items: Vec<T> = all.filter(|item| self.after.as_ref().is_none_or(|after| key(item) > *after)).collect();
        items.sort_by_key(&key);
        items.truncate(most);
        Ok(self.list(items, key))
    }

    /// The page of what was read.
    pub(super) fn list<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> String) -> Json<List<T>> {
        let count = self.count.unwrap_or(ITEMS) as usize;
        let next = items.get(count.saturating_sub(1)).filter(|_| items.len() > count).map(key);
        items.truncate(count);
        Json(List { items, next })
    }
}

/// A point in time as RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, format = DateTime)]
pub(super) struct Time(pub(super) Instant);

impl TryFrom<String> for Time {
    type Error = crate::time::InvalidTime;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Instant::parse(&text).map(Self)
    }
}

impl From<Time> for String {
    fn from(time: Time) -> Self {
        time.0.to_rfc3339()
    }
}

/// The key of a list that is in the order of time: a time, and an id that tells those of one time apart.
#[derive(Debug)]
pub(super) struct Moment;

impl Moment {
    pub(super) fn text(time: Time, id: &impl fmt::Display) -> String {
        format!("{}.{id}", time.0.0)
    }

    pub(super) fn parse<T: TryFrom<String, Error = crate::id::InvalidId>>(text: &str) -> Result<(Instant, T), Problem> {
        let refuse = || invalid("after", "is no key of this list");
        let (micros, key) = text.split_once('.').ok_or_else(refuse)?;
        Ok((Instant(micros.parse().map_err(|_| refuse())?), id("after", key)?))
    }
}

/// A JSON object. What derives `Deserialize` takes its values in a row for one as well.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }
        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

/// Reads a JSON body. What is wrong with it is said with the path of the element.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut json).map(|Object(read)| read).map_err(|error| {
        let path = error.path().to_string();
        let element = if path == "." { "body".to_owned() } else { path };
        (element, error.into_inner())
    });
    match read.and_then(|read| json.end().map(|()| read).map_err(|error| ("body".to_owned(), error))) {
        Ok(read) => Ok(read),
        Err((element, error)) if error.is_data() => Err(invalid(&element, error)),
        Err((_, error)) => Err(Problem::new(StatusCode::BAD_REQUEST, "malformed", format!("body: {error}"))),
    }
}

/// The query, if it is one this path knows.
pub(super) fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    let refuse = |error: QueryRejection| Problem::new(StatusCode::BAD_REQUEST, "invalid-query", error.body_text());
    query.map(|Query(query)| query).map_err(refuse)
}

/// The revision an `If-Match` header names.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let revision = value.to_str().ok().and_then(|tag| tag.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok());
    let refuse =
        || Problem::new(StatusCode::BAD_REQUEST, "invalid-if-match", "If-Match must be an ETag of this server");
    revision.map(Some).ok_or_else(refuse)
}

/// An answer with the ETag of a revision.
pub(super) fn tagged(status: StatusCode, revision: i64, body: impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{revision}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The status of what was put.
pub(super) fn status(written: Written) -> StatusCode {
    if written == Written::Created { StatusCode::CREATED } else { StatusCode::OK }
}

/// A text for people, which every database holds.
pub(super) fn check_text(element: &str, text: &str, most: usize) -> Result<(), Problem> {
    let right = !text.trim().is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control);
    if right {
        Ok(())
    } else {
        Err(invalid(element, format!("must be 1 to {most} characters, none of them a control")))
    }
}

/// An id, in a path or a query.
pub(super) fn id<T: TryFrom<String, Error = crate::id::InvalidId>>(element: &str, text: &str) -> Result<T, Problem> {
    T::try_from(text.to_owned()).map_err(|error| invalid(element, error))
}

/// An element is not what it should be.
pub(super) fn invalid(element: &str, problem: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", format!("{element}: {problem}")).with("element", element)
}

/// There is nothing of this id.
pub(super) fn missing(what: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not-found", format!("there is no such {what}"))
}

/// What the caller is told when the store does not do it.
pub(super) fn failed(error: &StoreError) -> Problem {
    let refusal = match error {
        StoreError::Refused(refusal) => refusal,
        StoreError::InAnotherEpisode { device, episode } => {
            return Problem::new(StatusCode::CONFLICT, "device-taken", error.to_string())
                .with("device", device.as_str())
                .with("episode", episode.as_str());
        }
        _ => return super::unavailable(error),
    };
    let (status, kind) = match refusal {
        Refusal::Unknown { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "unknown"),
        Refusal::Time { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
        Refusal::Unconditional => (StatusCode::PRECONDITION_REQUIRED, "if-match-needed"),
        Refusal::Stale { .. } => (StatusCode::PRECONDITION_FAILED, "changed-since"),
        Refusal::Fixed { .. } => (StatusCode::CONFLICT, "exists"),
        Refusal::NotNext { .. } => (StatusCode::CONFLICT, "not-next"),
        Refusal::InUse { .. } => (StatusCode::CONFLICT, "in-use"),
        Refusal::Withdrawn(_) => (StatusCode::CONFLICT, "withdrawn"),
        Refusal::Running(_) => (StatusCode::CONFLICT, "running"),
        Refusal::Over(_) => (StatusCode::CONFLICT, "over"),
        Refusal::OtherEncounter => (StatusCode::CONFLICT, "other-encounter"),
    };
    let problem = Problem::new(status, kind, refusal.to_string());
    match refusal {
        Refusal::Unknown { element } | Refusal::Time { element, .. } | Refusal::Fixed { element } => {
            problem.with("element", *element)
        }
        Refusal::OtherEncounter => problem.with("element", "encounter"),
        Refusal::NotNext { .. } => problem.with("element", "version"),
        _ => problem,
    }
}
