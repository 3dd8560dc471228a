//! What is written and read: patients with a monitor each, which gives a heart rate a minute, and every third minute an
//! oxygen saturation and a respiratory rate.

use serde_json::{Value, json};

use crate::time::{Instant, MICROS};

/// Observations in a Bundle.
pub(super) const SIZE: usize = 100;

/// Bundles of one patient.
const BUNDLES_EACH: usize = 20;

/// Where the identifiers are from.
const SYSTEM: &str = "https://monitors.example/measurement";

/// What is read, in this order.
pub(super) const READS: [&str; 7] = [
    "read by id",
    "search by identifier",
    "latest of a code",
    "trend of 50",
    "page of 50 with their device",
    "page of 50 with their Provenance",
    "count of a code of a patient",
];

/// The measurements: profile, display, LOINC codes, unit, UCUM code.
const KINDS: [(&str, &str, &[&str], &str, &str); 3] = [
    ("us-core-heart-rate", "Heart rate", &["8867-4"], "beats/minute", "/min"),
    ("us-core-pulse-oximetry", "Oxygen saturation", &["59408-5", "2708-6"], "%", "%"),
    ("us-core-respiratory-rate", "Respiratory rate", &["9279-1"], "breaths/minute", "/min"),
];

/// How much of it.
pub(super) struct Plan {
    bundles: usize,
}

/// Logical id of a patient.
pub(super) fn patient(n: usize) -> String {
    format!("load-patient-{n}")
}

fn device(n: usize) -> String {
    format!("load-monitor-{n}")
}

/// Every entry of an answer must have succeeded.
pub(super) fn check(answer: &Value) -> anyhow::Result<()> {
    let failed = answer["entry"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|entry| !entry["response"]["status"].as_str().is_some_and(|status| status.starts_with('2')));
    anyhow::ensure!(failed.is_none(), "an entry failed: {failed:?}");
    Ok(())
}

impl Plan {
    pub(super) fn new(observations: u32) -> Self {
        Self { bundles: observations as usize / SIZE }
    }

    pub(super) fn bundles(&self) -> usize {
        self.bundles
    }

    pub(super) fn patients(&self) -> usize {
        self.bundles.div_ceil(BUNDLES_EACH)
    }

    /// The patients and their monitors.
    pub(super) fn people(&self) -> String {
        let entries = (0..self.patients()).flat_map(|n| {
            let who = json!({"resourceType": "Patient", "id": patient(n), "active": true, "gender": "unknown",
                "identifier": [{"system": "https://hospital.example/patient", "value": n.to_string()}]});
            let monitor = json!({"resourceType": "Device", "id": device(n), "status": "active",
                "identifier": [{"system": "https://monitors.example/serial", "value": format!("S{n}")}],
                "type": {"coding": [{"system": "http://snomed.info/sct", "code": "266700009"}]},
                "patient": {"reference": format!("Patient/{}", patient(n))}});
            [put("Patient", &patient(n), &who), put("Device", &device(n), &monitor)]
        });
        json!({"resourceType": "Bundle", "type": "transaction", "entry": entries.collect::<Vec<_>>()}).to_string()
    }

    /// The n-th Bundle.
    pub(super) fn bundle(n: usize) -> String {
        let entries: Vec<Value> = (0..SIZE)
            .map(|i| {
                let resource = observation(n, i);
                let criteria = format!("identifier={SYSTEM}|{}", value(n, i));
                json!({"fullUrl": format!("urn:uuid:00000000-0000-4000-8000-{n:08x}{i:04x}"), "resource": resource,
                    "request": {"method": "POST", "url": "Observation", "ifNoneExist": criteria}})
            })
            .collect();
        json!({"resourceType": "Bundle", "type": "transaction", "entry": entries}).to_string()
    }

    /// A Provenance for each Observation of some patients: what they were computed from.
    pub(super) fn provenances(&self) -> String {
        let entries = (0..self.patients().min(10)).flat_map(|who| (0..SIZE).map(move |i| (who * BUNDLES_EACH, i)));
        let entries: Vec<Value> = entries
            .map(|(n, i)| {
                let target = format!("Observation?identifier={SYSTEM}|{}", value(n, i));
                let resource = json!({"resourceType": "Provenance", "recorded": "2026-01-18T00:00:00Z",
                    "target": [{"reference": target}],
                    "agent": [{"who": {"reference": format!("Device/{}", device(n / BUNDLES_EACH))}}]});
                json!({"resource": resource, "request": {"method": "POST", "url": "Provenance"}})
            })
            .collect();
        json!({"resourceType": "Bundle", "type": "transaction", "entry": entries}).to_string()
    }

    /// The path of the n-th read of a kind.
    pub(super) fn read(&self, kind: &str, n: usize, ids: &[String]) -> String {
        let who = patient(n % self.patients());
        let id = ids.get(n % ids.len().max(1)).map_or("", String::as_str);
        let code = "http://loinc.org%7C8867-4";
        match kind {
            "read by id" => format!("Observation/{id}"),
            "search by identifier" => {
                let at = n * 7919 % (self.bundles * SIZE);
                format!("Observation?identifier={SYSTEM}%7C{}", value(at / SIZE, at % SIZE))
            }
            "latest of a code" => format!("Observation?subject=Patient/{who}&code={code}&_sort=-date&_count=1"),
            "trend of 50" => format!("Observation?subject=Patient/{who}&code={code}&_sort=-date&_count=50"),
            "page of 50 with their device" => {
                format!("Observation?subject=Patient/{who}&_sort=-date&_count=50&_include=Observation:device")
            }
            "page of 50 with their Provenance" => {
                let who = patient(n % self.patients().min(10));
                format!("Observation?subject=Patient/{who}&_sort=date&_count=50&_revinclude=Provenance:target")
            }
            _ => format!("Observation?subject=Patient/{who}&code={code}&_summary=count"),
        }
    }
}

fn put(kind: &str, id: &str, resource: &Value) -> Value {
    json!({"resource": resource, "request": {"method": "PUT", "url": format!("{kind}/{id}")}})
}

fn value(n: usize, i: usize) -> String {
    format!("m-{n}-{i}")
}

fn observation(n: usize, i: usize) -> Value {
    // 60 heart rates, 20 saturations, 20 respiratory rates.
    let (kind, minute) = match i {
        0..60 => (0, i),
        60..80 => (1, (i - 60) * 3),
        _ => (2, (i - 80) * 3),
    };
    let (profile, display, codes, unit, ucum) = KINDS.get(kind).copied().unwrap_or(("", "", &[], "", ""));
    let who = n / BUNDLES_EACH;
    let minutes = i64::try_from((n % BUNDLES_EACH) * 60 + minute).unwrap_or_default();
    let at = Instant((1_768_730_400 + minutes * 60) * MICROS).to_fhir();
    let number = match kind {
        0 => 58 + (n * 31 + i * 7) % 50,
        1 => 93 + (n + i) % 7,
        _ => 11 + (n + i) % 10,
    };
    let coding = codes.iter().map(|code| json!({"system": "http://loinc.org", "code": code, "display": display}));
    json!({
        "resourceType": "Observation",
        "meta": {"profile": [format!("http://hl7.org/fhir/us/core/StructureDefinition/{profile}")]},
        "identifier": [{"system": SYSTEM, "value": value(n, i)}],
        "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": "vital-signs", "display": "Vital Signs"}]}],
        "code": {"coding": coding.collect::<Vec<_>>(), "text": display},
        "subject": {"reference": format!("Patient/{}", patient(who))},
        "effectiveDateTime": at, "issued": at,
        "valueQuantity": {"value": number, "unit": unit, "system": "http://unitsofmeasure.org", "code": ucum},
        "device": {"reference": format!("Device/{}", device(who))}
    })
}
