//! `X-Provenance`: a Provenance stored with what it is about. <https://hl7.org/fhir/R4/provenance.html#header>

use serde_json::{Value, json};

use super::task::{Done, Outcome};
use super::{Context, validity};
use crate::fhir::content::Content;
use crate::rest::error::Error;
use crate::store::{Effect, Put, Writing, new_id};
use crate::time::Instant;

/// The header.
pub(in crate::rest) const HEADER: &str = "x-provenance";

/// Stores the Provenance of what was written; none where nothing was.
pub(super) async fn store(
    context: Context<'_>,
    writing: &mut Writing,
    body: &[u8],
    done: &[(Done, Option<Effect>)],
    now: Instant,
) -> Result<(), Error> {
    let mut content = Content::parse(body).map_err(|invalid| Error::from(invalid).at("X-Provenance"))?;
    if content.kind() != "Provenance" {
        return Err(Error::refused("resourceType", "must be Provenance").at("X-Provenance"));
    }
    let is_written = |(done, effect): &&(Done, Option<Effect>)| {
        done.outcome == Outcome::Deleted || effect.is_some_and(|effect| effect != Effect::Unchanged)
    };
    let written = done.iter().filter(is_written);
    let targets: Vec<Value> = written.map(|(done, _)| json!({ "reference": done.reference() })).collect();
    if targets.is_empty() {
        return Ok(());
    }
    content.object_mut().insert("target".to_owned(), Value::Array(targets));
    content.set_source(&context.caller.source());
    let id = new_id(now)?;
    validity::check(context, id.as_str(), &content, None).map_err(|error| error.at("X-Provenance"))?;
    let (tail, element) = (content.tail(), content.element());
    writing.put(vec![Put { kind: "Provenance".to_owned(), id, tail, element, head: None }]).await?;
    Ok(())
}
