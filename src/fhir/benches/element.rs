//! What a heart rate Observation costs in the element model: build, write, make its stored tail, read.
//! `cargo bench -p afferent-fhir`
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::hint::black_box;
use std::time::Instant;

use afferent_fhir::datatype::{LOINC, coded, coding, concept, period, quantity, reference};
use afferent_fhir::make::{element, object, one, text, texts};
use afferent_fhir::{Element, Primitive, Value, json, stored};

fn observation() -> Element {
    let category = coded("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs", None);
    let code = concept(vec![
        coding(LOINC, "8867-4", Some("Heart rate")),
        coding("https://afferent.dev/fhir/CodeSystem/biosignal", "heart-rate", None),
    ]);
    let mut resource = element([
        ("meta", object([("profile", texts(["http://hl7.org/fhir/us/core/StructureDefinition/us-core-heart-rate"]))])),
        ("status", text("final")),
        ("category", one(category)),
        ("code", Some(Value::Element(code))),
        ("subject", Some(Value::Element(reference("Patient/p1")))),
        ("effectiveDateTime", text("2026-01-01T00:01:00.000Z")),
        ("valueQuantity", quantity("72.1", "beats/minute", "/min")),
        ("device", Some(Value::Element(reference("Device/d1")))),
    ]);
    resource.insert("resourceType".to_owned(), Value::Primitive(Primitive::String("Observation".to_owned())));
    let last = resource.len() - 1;
    resource.move_index(last, 0);
    black_box(period("a", "b"));
    resource
}

fn median_us(name: &str, mut run: impl FnMut()) {
    const RUNS: usize = 51;
    const REPEAT: u32 = 200;
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            (0..REPEAT).for_each(|_| run());
            start.elapsed().as_secs_f64() * 1e6 / f64::from(REPEAT)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{name:<8} {:8.2} us", times[RUNS / 2]);
}

fn main() {
    let resource = observation();
    let bytes = json::to_vec(&resource).unwrap();
    median_us("build", || drop(black_box(observation())));
    median_us("write", || drop(black_box(json::to_vec(&resource).unwrap())));
    median_us("tail", || drop(black_box(stored::tail(resource.clone()).unwrap())));
    median_us("read", || drop(black_box(json::parse(&bytes).unwrap())));
    println!("{} bytes", bytes.len());
}
