//! `$series`: a stretch of a waveform, with as many points as can be drawn. Defined by `ig/OperationDefinition-series.json`.
//!
//! Where there are more samples than points, each point is the lowest and the highest sample of its share of the time, so
//! that no peak is lost: the components `minimum` and `maximum`, in steps of the waveform's own factor.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Call;
use crate::auth::Access;
use crate::rest::error::Error;
use crate::rest::parameters::SearchParameters;
use crate::rest::respond;
use crate::rest::state::TypeState;
use crate::store::search::Search;
use crate::time::{Instant, Interval, MICROS};

/// Chunks in one look-up.
const PAGE: usize = 64;
const DEFAULT_POINTS: usize = 2_000;
const MOST_POINTS: usize = 20_000;
/// Longest stretch.
const LONGEST_US: i64 = 7 * 86_400 * MICROS;
/// System of the two components.
const STATISTICS: &str = "http://terminology.hl7.org/CodeSystem/observation-statistics";

/// `GET [base]/Observation/$series?patient=…&code=…&start=…&end=…&max=…`
pub(super) async fn series(State(state): State<TypeState>, call: Call) -> Result<Response, Error> {
    call.caller.require(state.kind(), Access::Search)?;
    let time = |name: &str| Instant::parse(call.required(name)?).map_err(|problem| Error::invalid(name, problem));
    let stretch = Interval { start: time("start")?, end: time("end")? };
    if stretch.end <= stretch.start || stretch.end.0 - stretch.start.0 > LONGEST_US {
        return Err(Error::invalid("end", "must be after start, by seven days at most"));
    }
    let most = match call.one("max")?.map(str::parse::<usize>) {
        None => DEFAULT_POINTS,
        Some(Ok(max)) if (1..=MOST_POINTS).contains(&max) => max,
        Some(_) => return Err(Error::invalid("max", format!("must be a number from 1 to {MOST_POINTS}"))),
    };
    let pairs = [
        ("patient", call.required("patient")?.to_owned()),
        ("code", call.required("code")?.to_owned()),
        ("date", format!("ge{}", stretch.start.to_fhir())),
        ("date", format!("lt{}", stretch.end.to_fhir())),
        ("status:not", "entered-in-error".to_owned()),
        ("_sort", "date".to_owned()),
    ];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let parsed = SearchParameters::parse(&state.rest.context(&call.base), &state.row, pairs)?;
    let mut search = Search { count: PAGE, ..parsed.search };
    let mut drawing: Option<Drawing> = None;
    loop {
        let page = call.caller.search(&state.rest, &search).await?;
        for stored in &page.matches {
            let chunk: Chunk = serde_json::from_slice(&stored.json()).map_err(|_| Error::Damaged)?;
            let Some(data) = chunk.value_sampled_data.as_ref().filter(|data| data.dimensions == 1) else { continue };
            let Some(start) = chunk.effective_period.as_ref().and_then(|p| Instant::parse(&p.start).ok()) else {
                continue;
            };
            let drawing = drawing.get_or_insert_with(|| Drawing::new(stretch, most, &chunk, data));
            drawing.add(start, data);
        }
        search.after = page.next;
        if search.after.is_none() {
            break;
        }
    }
    let drawing = drawing.ok_or_else(|| Error::NotFound("a waveform of this code in this time".to_owned()))?;
    Ok(respond::json(StatusCode::OK, drawing.resource().to_string().into_bytes()))
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk {
    code: Value,
    subject: Option<Value>,
    effective_period: Option<Period>,
    value_sampled_data: Option<Sampled>,
}

#[derive(Debug, Clone, Deserialize)]
struct Period {
    start: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Sampled {
    origin: Value,
    /// Milliseconds.
    period: f64,
    #[serde(default = "one")]
    factor: f64,
    dimensions: u32,
    data: String,
}

fn one() -> f64 {
    1.0
}

/// A waveform being drawn: for each point the lowest and highest count of its share of the time.
struct Drawing {
    stretch: Interval,
    code: Value,
    subject: Option<Value>,
    origin: Value,
    factor: f64,
    /// Microseconds of a point.
    step_us: f64,
    /// Whether a point holds one sample.
    is_whole: bool,
    points: Vec<Option<(i64, i64)>>,
}

impl Drawing {
    fn new(stretch: Interval, most: usize, chunk: &Chunk, data: &Sampled) -> Self {
        let length = (stretch.end.0 - stretch.start.0) as f64;
        let samples = (length / (data.period * 1000.0)).ceil();
        let is_whole = samples <= most as f64;
        let count = if is_whole { samples } else { most as f64 };
        Self {
            stretch,
            code: chunk.code.clone(),
            subject: chunk.subject.clone(),
            origin: data.origin.clone(),
            factor: data.factor,
            step_us: if is_whole { data.period * 1000.0 } else { length / count },
            is_whole,
            points: vec![None; count as usize],
        }
    }

    /// Draws a chunk in the counts of the first one.
    fn add(&mut self, start: Instant, data: &Sampled) {
        let scale = data.factor / self.factor;
        for (index, text) in data.data.split(' ').enumerate() {
            let Ok(count) = text.parse::<i64>() else { continue };
            let at = start.0 as f64 + index as f64 * data.period * 1000.0 - self.stretch.start.0 as f64;
            // A sample is at a point when it is nearer to it than to the next.
            let place = if self.is_whole { (at / self.step_us).round() } else { (at / self.step_us).floor() };
            if place < 0.0 {
                continue;
            }
            let Some(point) = self.points.get_mut(place as usize) else { break };
            let count = (count as f64 * scale).round() as i64;
            *point = Some(point.map_or((count, count), |(low, high)| (low.min(count), high.max(count))));
        }
    }

    fn resource(&self) -> Value {
        let data = |of: fn(&(i64, i64)) -> i64| {
            let texts = self.points.iter().map(|p| p.as_ref().map_or_else(|| "E".to_owned(), |p| of(p).to_string()));
            json!({
                "origin": self.origin, "period": self.step_us / 1000.0, "factor": self.factor, "dimensions": 1,
                "data": texts.collect::<Vec<_>>().join(" "),
            })
        };
        let mut resource = json!({
            "resourceType": "Observation", "status": "final", "code": self.code,
            "effectivePeriod": { "start": self.stretch.start.to_fhir(), "end": self.stretch.end.to_fhir() },
        });
        if let Some(subject) = &self.subject {
            resource["subject"] = subject.clone();
        }
        if self.is_whole {
            resource["valueSampledData"] = data(|p| p.0);
            return resource;
        }
        let component = |name: &str, data: Value| json!({ "code": { "coding": [{ "system": STATISTICS, "code": name }] }, "valueSampledData": data });
        resource["component"] = json!([component("minimum", data(|p| p.0)), component("maximum", data(|p| p.1))]);
        resource
    }
}
