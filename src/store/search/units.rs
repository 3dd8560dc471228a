//! Quantities in units other than the one they are asked for in. <https://ucum.org>
//!
//! Numbers are stored as they are written. Which units a parameter's numbers are in is known, so a search is asked of each
//! in its own numbers: 37 Cel of what is in `[degF]` as 98.6. Units of UCUM are converted; others must be the same.

use sqlx::Row as _;

use super::filter::{QuantityMatch, UnitMatch};
use super::measure::{Measure, Test};
use crate::id::TenantId;
use crate::store::date::Prefix;
use crate::store::sql::Sql;
use crate::store::table::measure;
use crate::store::{Store, StoreError};

/// The system of UCUM units.
const UCUM: &str = "http://unitsofmeasure.org";

/// The share of a converted number that is taken for an error of the conversion.
const ROUNDING: f64 = 1e-9;

/// The share of a number within which another is about the same.
const ABOUT: f64 = 0.1;

impl Store {
    /// What `value` means for each unit there is among the numbers of `parameters`.
    pub(super) async fn measures(
        &self,
        tenant: &TenantId,
        kind: &str,
        parameters: &[&str],
        value: &QuantityMatch,
    ) -> Result<Vec<Measure>, StoreError> {
        let mut measures = Vec::new();
        for parameter in parameters {
            let mut sql = Sql::new("SELECT system, code, unit FROM quantity_unit WHERE tenant = ");
            sql.bind(tenant.as_str()).push(" AND kind = ").bind(kind).push(" AND parameter = ").bind(*parameter);
            for row in sql.query().fetch_all(&self.readers).await? {
                let unit: [String; 3] = [row.try_get(0)?, row.try_get(1)?, row.try_get(2)?];
                let unit = unit.each_ref().map(String::as_str);
                let measure = measure(tenant, kind, parameter, unit);
                measures.extend(test(value, unit).map(|test| Measure { measure, test }));
            }
        }
        Ok(measures)
    }
}

/// Whether a number in a unit matches.
pub(in crate::store) fn holds(value: &QuantityMatch, unit: [&str; 3], number: f64) -> bool {
    test(value, unit).is_some_and(|test| match test {
        Test::Within((from, until)) => (from..until).contains(&number),
        Test::Outside((from, until)) => !(from..until).contains(&number),
        Test::Above(than) => number > than,
        Test::AtLeast(than) => number >= than,
        Test::Below(than) => number < than,
        Test::AtMost(than) => number <= than,
    })
}

/// What `value` means for numbers in a unit; none where they cannot be compared.
fn test(value: &QuantityMatch, [system, code, unit]: [&str; 3]) -> Option<Test> {
    let as_asked = |asked: &UnitMatch| {
        asked.system.as_ref().is_none_or(|s| s == system) && (asked.code == code || asked.code == unit)
    };
    let Some(asked) = value.unit.as_ref().filter(|asked| !as_asked(asked)) else {
        return Some(range(value, |number| number, 0.0));
    };
    let both = system == UCUM && asked.system.as_deref().is_none_or(|s| s == UCUM);
    if !both || !octofhir_ucum::is_comparable(&asked.code, code).unwrap_or(false) {
        return None;
    }
    let convert = |number| octofhir_ucum::convert(number, &asked.code, code).ok().filter(|n| n.is_finite());
    convert(value.value)?;
    Some(range(value, |number| convert(number).unwrap_or(f64::NAN), ROUNDING))
}

/// The numbers that match, in a unit `convert` leads to.
fn range(value: &QuantityMatch, convert: impl Fn(f64) -> f64, rounding: f64) -> Test {
    let at = convert(value.value);
    let error = at.abs() * rounding;
    let span = |width: f64| {
        let (a, b) = (convert(value.value - width), convert(value.value + width));
        (a.min(b) - error, a.max(b) + error)
    };
    match value.prefix {
        Prefix::Eq => Test::Within(span(value.half)),
        Prefix::Ne => Test::Outside(span(value.half)),
        Prefix::Ap => Test::Within(span((value.value.abs() * ABOUT).max(value.half))),
        Prefix::Gt | Prefix::Sa => Test::Above(at + error),
        Prefix::Lt | Prefix::Eb => Test::Below(at - error),
        Prefix::Ge => Test::AtLeast(at - error),
        Prefix::Le => Test::AtMost(at + error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(prefix: Prefix, value: f64, code: &str) -> QuantityMatch {
        let unit = UnitMatch { system: Some(UCUM.to_owned()), code: code.to_owned() };
        QuantityMatch { prefix, value, half: 0.05, unit: Some(unit) }
    }

    #[test]
    fn units_of_ucum_are_converted() {
        let Some(Test::Within((a, b))) = test(&quantity(Prefix::Eq, 37.0, "Cel"), [UCUM, "[degF]", "F"]) else {
            panic!("not comparable");
        };
        assert!((a - 98.51).abs() < 1e-6 && (b - 98.69).abs() < 1e-6, "{a} {b}");
        let Some(Test::AtLeast(at)) = test(&quantity(Prefix::Ge, 16.0, "kPa"), [UCUM, "mm[Hg]", "mmHg"]) else {
            panic!("not comparable");
        };
        assert!((at - 120.009_868).abs() < 1e-3, "{at}");
        assert!(test(&quantity(Prefix::Eq, 1.0, "kg"), [UCUM, "mm[Hg]", ""]).is_none());
        assert!(test(&quantity(Prefix::Eq, 1.0, "kg"), ["http://other", "g", ""]).is_none());
        assert!(test(&quantity(Prefix::Eq, 1.0, "no such unit"), [UCUM, "g", ""]).is_none());
    }

    #[test]
    fn the_same_unit_is_compared_as_written() {
        assert_eq!(test(&quantity(Prefix::Ge, 37.0, "Cel"), [UCUM, "Cel", "C"]), Some(Test::AtLeast(37.0)));
        let any = QuantityMatch { unit: None, ..quantity(Prefix::Lt, 3.0, "") };
        assert_eq!(test(&any, ["", "", "beats"]), Some(Test::Below(3.0)));
        let by_text = QuantityMatch { unit: Some(UnitMatch { system: None, code: "beats".to_owned() }), ..any };
        assert_eq!(test(&by_text, ["", "", "beats"]), Some(Test::Below(3.0)));
    }
}
