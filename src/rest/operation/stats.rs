//! `$stats`: statistics of the values a patient's Observations of a code have. <https://hl7.org/fhir/R4/observation-operation-stats.html>
//!
//! One Observation for each code, a component for each statistic. Values in other units than the newest one's are left
//! out and counted in `total-count` only; so are Observations without a value, and what was entered in error is in neither.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Call;
use super::parameters::answer;
use crate::auth::Access;
use crate::rest::error::Error;
use crate::rest::parameters::SearchParameters;
use crate::rest::state::TypeState;
use crate::store::Stored;
use crate::store::search::Search;

/// System of the statistics.
const STATISTICS: &str = "http://terminology.hl7.org/CodeSystem/observation-statistics";
/// Observations in one look-up.
const PAGE: usize = 1000;
/// Most Observations of a code.
const MOST: usize = 200_000;

/// What is told where nothing is asked for.
const DEFAULT: [&str; 4] = ["average", "count", "maximum", "minimum"];

/// `GET [base]/Observation/$stats?subject=…&code=…&statistic=…`
pub(super) async fn stats(State(state): State<TypeState>, call: Call) -> Result<Response, Error> {
    call.caller.require(state.kind(), Access::Search)?;
    let mut statistics: Vec<&str> = call.all("statistic").flat_map(|list| list.split(',')).collect();
    if let Some(unknown) = statistics.iter().find(|name| statistic(name, &[1.0], 1).is_err()) {
        return Err(Error::invalid("statistic", format!("{unknown} is not supported")));
    }
    if statistics.is_empty() {
        statistics.extend(DEFAULT);
    }
    let include = match call.one("include")? {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Error::invalid("include", "must be true or false")),
    };
    let system = call.one("system")?;
    let with_system = |code: &str| match system {
        Some(system) if !code.contains('|') => format!("{system}|{code}"),
        _ => code.to_owned(),
    };
    let codes: Vec<String> = call.all("code").chain(call.all("coding")).map(with_system).collect();
    if codes.is_empty() {
        return Err(Error::invalid("code", "is required"));
    }
    let mut all = Vec::new();
    for code in codes {
        let found = observations(&state, &call, &code).await?;
        let values = values(&found)?;
        let Some(newest) = values.last() else { continue };
        all.push(json!({ "name": "statistics", "resource": summary(newest, &values, &statistics) }));
        if include {
            for stored in &found {
                let resource: Value = serde_json::from_slice(&stored.json()).map_err(|_| Error::Damaged)?;
                all.push(json!({ "name": "source", "resource": resource }));
            }
        }
    }
    Ok(answer(all))
}

/// Those of a code, the oldest first.
async fn observations(state: &TypeState, call: &Call, code: &str) -> Result<Vec<Stored>, Error> {
    let whose = match (call.one("subject")?, call.one("patient")?) {
        (Some(subject), None) => ("subject", subject),
        (None, Some(patient)) => ("patient", patient),
        _ => return Err(Error::invalid("subject", "is required")),
    };
    let mut pairs = vec![whose, ("code", code), ("status:not", "entered-in-error"), ("_sort", "date")];
    pairs.extend(call.all("date").map(|date| ("date", date)));
    let pairs = pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let parsed = SearchParameters::parse(&state.rest.context(&call.base), &state.row, pairs)?;
    let mut search = Search { count: PAGE, ..parsed.search };
    let mut found = Vec::new();
    loop {
        let page = call.caller.search(&state.rest, &search).await?;
        found.extend(page.matches);
        if found.len() > MOST {
            return Err(Error::invalid(
                "date",
                format!("there are more than {MOST} Observations; name a shorter time"),
            ));
        }
        search.after = page.next;
        if search.after.is_none() {
            return Ok(found);
        }
    }
}

/// What a value is told from.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    code: Value,
    subject: Option<Value>,
    effective_date_time: Option<String>,
    effective_period: Option<Period>,
    effective_instant: Option<String>,
    value_quantity: Option<Quantity>,
}

#[derive(Debug, Clone, Deserialize)]
struct Period {
    start: Option<String>,
    end: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Quantity {
    value: Option<f64>,
    unit: Option<String>,
    system: Option<String>,
    code: Option<String>,
}

impl Told {
    fn when(&self) -> [Option<&String>; 2] {
        let period = self.effective_period.as_ref();
        let at = self.effective_date_time.as_ref().or(self.effective_instant.as_ref());
        [at.or(period.and_then(|p| p.start.as_ref())), at.or(period.and_then(|p| p.end.as_ref()))]
    }
}

fn values(found: &[Stored]) -> Result<Vec<Told>, Error> {
    found.iter().map(|stored| serde_json::from_slice(&stored.json()).map_err(|_| Error::Damaged)).collect()
}

fn summary(newest: &Told, all: &[Told], statistics: &[&str]) -> Value {
    let unit = |quantity: &Quantity| (quantity.system.clone(), quantity.code.clone().or_else(|| quantity.unit.clone()));
    let quantity = all.iter().rev().find_map(|told| told.value_quantity.as_ref().filter(|q| q.value.is_some()));
    let alike = all.iter().filter_map(|told| told.value_quantity.as_ref());
    let alike = alike.filter(|q| quantity.is_some_and(|newest| unit(q) == unit(newest)));
    let mut numbers: Vec<f64> = alike.filter_map(|q| q.value).collect();
    numbers.sort_by(f64::total_cmp);
    let component = |name: &&str| {
        let value = statistic(name, &numbers, all.len()).ok()?;
        let mut told = json!({ "code": { "coding": [{ "system": STATISTICS, "code": name }] } });
        if let Some(value) = value.filter(|value| value.is_finite()) {
            told["valueQuantity"] = json!({ "value": rounded(value) });
            let own = quantity.filter(|_| !name.ends_with("count"));
            // A variance is in the square of the unit, which has no code of its own here.
            if let Some(q) = own.filter(|_| *name != "variance") {
                let members = [("unit", &q.unit), ("system", &q.system), ("code", &q.code)];
                let members = members.into_iter().filter_map(|(m, text)| Some((m.to_owned(), json!(text.as_ref()?))));
                told["valueQuantity"].as_object_mut()?.extend(members);
            }
        } else {
            let absent = "http://terminology.hl7.org/CodeSystem/data-absent-reason";
            told["dataAbsentReason"] = json!({ "coding": [{ "system": absent, "code": "unknown" }] });
        }
        Some(told)
    };
    let components: Vec<Value> = statistics.iter().filter_map(component).collect();
    let mut summary = json!({ "resourceType": "Observation", "status": "final", "code": newest.code });
    if let Some(subject) = &newest.subject {
        summary["subject"] = subject.clone();
    }
    let first = all.first().and_then(|told| told.when()[0]);
    if let (Some(start), Some(end)) = (first, newest.when()[1]) {
        summary["effectivePeriod"] = json!({ "start": start, "end": end });
    }
    summary["component"] = Value::Array(components);
    summary
}

/// The name is that of no statistic here.
#[derive(Debug, PartialEq, Eq)]
struct Unknown;

/// A statistic of sorted numbers, `total` Observations behind them; none where there are too few. Percentiles lie between numbers as in NIST/SEMATECH 7.2.6.2, exclusive of the ends.
fn statistic(name: &str, sorted: &[f64], total: usize) -> Result<Option<f64>, Unknown> {
    let n = sorted.len() as f64;
    let sum: f64 = sorted.iter().sum();
    let mean = (n > 0.0).then(|| sum / n);
    let variance = mean.filter(|_| n > 1.0).map(|m| sorted.iter().map(|v| (v - m).powi(2)).sum::<f64>() / (n - 1.0));
    let moment = |power: i32| {
        let (mean, spread) = (mean?, variance?.sqrt() * ((n - 1.0) / n).sqrt());
        (spread > 0.0).then(|| sorted.iter().map(|v| ((v - mean) / spread).powi(power)).sum::<f64>() / n)
    };
    Ok(match name {
        "average" => mean,
        "maximum" => sorted.last().copied(),
        "minimum" => sorted.first().copied(),
        "count" => Some(n),
        "total-count" => Some(total as f64),
        "median" => percentile(sorted, 0.5),
        "std-dev" => variance.map(f64::sqrt),
        "sum" => (n > 0.0).then_some(sum),
        "variance" => variance,
        "20-percent" | "5-1" => percentile(sorted, 0.2),
        "80-percent" | "5-4" => percentile(sorted, 0.8),
        "4-lower" => percentile(sorted, 0.25),
        "4-upper" => percentile(sorted, 0.75),
        "4-dev" => percentile(sorted, 0.75).zip(percentile(sorted, 0.25)).map(|(upper, lower)| upper - lower),
        "5-2" => percentile(sorted, 0.4),
        "5-3" => percentile(sorted, 0.6),
        "skew" => moment(3),
        "kurtosis" => moment(4).map(|fourth| fourth - 3.0),
        _ => return Err(Unknown),
    })
}

fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let (first, last) = (sorted.first()?, sorted.last()?);
    let place = share * (sorted.len() as f64 + 1.0);
    if place < 1.0 {
        return Some(*first);
    }
    let (below, part) = (place.floor() as usize, place.fract());
    match (sorted.get(below - 1), sorted.get(below)) {
        (Some(a), Some(b)) => Some(a + part * (b - a)),
        _ => Some(*last),
    }
}

/// To a millionth, so that sums of decimals look like decimals.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_those_of_textbooks() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        let of = |name: &str| rounded(statistic(name, &values, 9).unwrap().unwrap());
        assert_eq!(of("average"), 5.0);
        assert_eq!(of("median"), 4.5);
        assert_eq!(of("std-dev"), 2.138_09);
        assert_eq!(of("variance"), 4.571_429);
        assert_eq!((of("count"), of("total-count"), of("sum")), (8.0, 9.0, 40.0));
        assert_eq!((of("4-lower"), of("4-upper"), of("4-dev")), (4.0, 6.5, 2.5));
        assert_eq!((of("skew"), of("kurtosis")), (0.656_25, -0.218_75));
        assert_eq!(statistic("std-dev", &[1.0], 1), Ok(None));
        assert_eq!(statistic("median", &[], 0), Ok(None));
        assert_eq!(statistic("regression", &values, 8), Err(Unknown));
    }
}
