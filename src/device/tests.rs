use std::sync::LazyLock;

use base64::Engine;
use proptest::prelude::*;

use super::*;
use crate::packet::{Format, Limits, parse_one};
use crate::registry::{DeviceModel, Signal};

const SIGNALS: &[(&str, &str)] = &[
    (
        "ecg",
        "kind = 'sampled-data'\nunit = { code = 'mV', display = 'mV' }\ninput_unit = [{ code = 'uV', factor = 0.001 }]\nsampled_data = { chunk_s = 60, factor = 0.001 }",
    ),
    (
        "heart-rate",
        "kind = 'quantity'\nunit = { code = '/min', display = 'beats/minute' }\nplausible = { min = 10, max = 350 }",
    ),
    (
        "body-temperature",
        "kind = 'quantity'\nunit = { code = 'Cel', display = 'C' }\ninput_unit = [{ code = '[degF]', factor = 0.5, offset = -16.0 }]\nplausible = { min = 20, max = 45 }",
    ),
    ("steps", "kind = 'quantity'\nplausible = { min = 0, max = 100000 }"),
    (
        "rr-interval",
        "kind = 'intervals'\nunit = { code = 'ms', display = 'ms' }\ninput_unit = [{ code = 's', factor = 1000.0 }]\nplausible = { min = 200, max = 4000 }",
    ),
    ("autonomic-state", "kind = 'classification'\nvalue = [{ code = 'x', display = 'X', definition = 'x' }]"),
    (
        "blood-pressure",
        "kind = 'panel'\ninput_unit = [{ code = 'kPa', factor = 7.5 }]\n\
        [[component]]\ncode = 'systolic'\ndisplay = 'S'\ndefinition = 'S'\nunit = { code = 'mm[Hg]', display = 'mmHg' }\nplausible = { min = 30, max = 300 }\n\
        [[component]]\ncode = 'diastolic'\ndisplay = 'D'\ndefinition = 'D'\nunit = { code = 'mm[Hg]', display = 'mmHg' }\nplausible = { min = 10, max = 200 }",
    ),
    (
        "mixed",
        "kind = 'panel'\n\
        [[component]]\ncode = 'a'\ndisplay = 'A'\ndefinition = 'A'\nunit = { code = 'mV', display = 'mV' }\nplausible = { min = 0, max = 1 }\n\
        [[component]]\ncode = 'b'\ndisplay = 'B'\ndefinition = 'B'\nunit = { code = 's', display = 's' }\nplausible = { min = 0, max = 1 }",
    ),
];

const DEVICES: &str = r#"
format_version = 1
model = "everything"
display = "Everything"
[[gatt]]
characteristic = "2a37"
decoder = "heart-rate-measurement"
field = [{ name = "heart_rate", signal = "heart-rate" }, { name = "rr_interval", signal = "rr-interval" }]
[[gatt]]
characteristic = "2a35"
decoder = "blood-pressure-measurement"
field = [
    { name = "systolic", signal = "blood-pressure", component = "systolic" },
    { name = "pulse_rate", signal = "heart-rate" },
    { name = "diastolic", signal = "blood-pressure", component = "diastolic" },
]
[[gatt]]
characteristic = "2a1c"
decoder = "temperature-measurement"
field = [{ name = "temperature", signal = "body-temperature" }]
[[vendor]]
schema = "acme/1.0.0"
quality = "/sqi"
field = [
    { name = "/pulse", signal = "heart-rate" },
    { name = "/ecg/0/samples", signal = "ecg", unit = "uV", rate_hz = 250 },
    { name = "/skin/value", signal = "body-temperature", unit_field = "/skin/unit" },
    { name = "/bp/sys", signal = "blood-pressure", component = "systolic" },
]
"#;

fn registry_with(device: &str) -> Registry {
    let mut registry = Registry::default();
    for (code, rest) in SIGNALS {
        let head = format!(
            "format_version = 1\ncode = '{code}'\ndisplay = '{code}'\ndefinition = '{code}'\ncategory = 'exam'\n"
        );
        let row: Signal = toml::from_str(&(head + rest)).unwrap();
        registry.signals.insert(row.code.clone(), row);
    }
    let model: DeviceModel = toml::from_str(device).unwrap();
    registry.devices.insert(model.model.clone(), model);
    registry
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| registry_with(DEVICES));

fn registry() -> &'static Registry {
    &REGISTRY
}

fn packet(content: &str) -> RawPacket {
    let json = format!(r#"{{"device":"d1","stream":"s","sequence":1,"device_time":"2026-01-18T14:32:12Z",{content}}}"#);
    parse_one(Format::Json, json.as_bytes(), Limits::default()).unwrap()
}

fn samples(content: &str) -> RawPacket {
    packet(&format!(r#""samples":{{{content}}}"#))
}

fn gatt(characteristic: &str, bytes: &[u8]) -> RawPacket {
    let value = base64::engine::general_purpose::STANDARD.encode(bytes);
    packet(&format!(r#""gatt":{{"characteristic":"{characteristic}","value":"{value}"}}"#))
}

fn readings(packet: &RawPacket) -> Vec<Reading> {
    accepts(packet, registry()).unwrap();
    decode(packet, registry()).unwrap().readings
}

#[track_caller]
fn refused(packet: &RawPacket, element: &str, problem: &str) {
    let error = decode(packet, registry()).unwrap_err();
    assert_eq!(error.element, element, "{error}");
    assert!(error.problem.contains(problem), "{error}");
    assert_eq!(accepts(packet, registry()), Err(error));
}

fn code(text: &str) -> SignalCode {
    SignalCode::new(text).unwrap()
}

fn start() -> Instant {
    Instant::parse("2026-01-18T14:32:12Z").unwrap()
}

#[test]
fn a_waveform_becomes_a_block_in_canonical_units() {
    let read = readings(&samples(r#""signal":"ecg","rate_hz":250,"unit":"uV","values":[1000,null,-500]"#));
    let [Reading::Samples(block)] = read.as_slice() else { panic!("{read:?}") };
    assert_eq!((block.signal.as_str(), block.rate_hz, block.start), ("ecg", 250.0, start()));
    assert_eq!((block.values[0], block.values[2]), (1.0, -0.5));
    assert!(block.values[1].is_nan());
}

#[test]
fn scalars_are_converted_and_keep_what_came() {
    let read = readings(&samples(r#""signal":"body-temperature","unit":"[degF]","values":[106]"#));
    let expected = Reading::Scalar {
        signal: code("body-temperature"),
        at: start(),
        value: Ok(37.0),
        original: Some((106.0, "[degF]".to_owned())),
    };
    assert_eq!(read, [expected]);

    let read = readings(&samples(r#""signal":"heart-rate","unit":"/min","rate_hz":2,"values":[60,61,62]"#));
    let Some(Reading::Scalar { at, value: Ok(62.0), original: None, .. }) = read.get(2) else { panic!("{read:?}") };
    assert_eq!(*at, start().plus(1_000_000));

    assert_eq!(readings(&samples(r#""signal":"steps","values":[12]"#)).len(), 1);
}

#[test]
fn panels_take_one_unit_or_each_component_its_own() {
    let read =
        readings(&samples(r#""signal":"blood-pressure","unit":"kPa","components":{"systolic":16,"diastolic":10}"#));
    let [Reading::Panel { components, originals, .. }] = read.as_slice() else { panic!("{read:?}") };
    assert_eq!(components, &[("diastolic".to_owned(), Ok(75.0)), ("systolic".to_owned(), Ok(120.0))]);
    assert_eq!(originals.get(1), Some(&("systolic".to_owned(), 16.0, "kPa".to_owned())));
    readings(&samples(r#""signal":"mixed","components":{"a":0.5,"b":0.5}"#));
}

#[test]
fn intervals_are_timed_by_their_sum() {
    let read = readings(&samples(r#""signal":"rr-interval","unit":"s","values":[0.8,0.5,1]"#));
    let [Reading::Intervals { beats, .. }] = read.as_slice() else { panic!("{read:?}") };
    let seconds: Vec<f64> = beats.iter().map(|b| b.at.seconds_since(start())).collect();
    assert_eq!(seconds, [0.0, 0.5, 1.5]);
    assert_eq!(beats[0].interval_ms, Some(800.0));
}

#[test]
fn what_cannot_be_is_refused_at_its_element() {
    refused(&samples(r#""signal":"hart-rate","unit":"/min","values":[1]"#), "samples.signal", "close ones: heart-rate");
    refused(&samples(r#""signal":"autonomic-state","values":[1]"#), "samples.signal", "classification");
    refused(&samples(r#""signal":"ecg","rate_hz":250,"unit":"V","values":[1]"#), "samples.unit", "accepted: mV, uV");
    refused(&samples(r#""signal":"ecg","rate_hz":250,"values":[1]"#), "samples.unit", "is missing");
    refused(&samples(r#""signal":"ecg","unit":"mV","values":[1]"#), "samples.rate_hz", "waveform");
    refused(
        &samples(r#""signal":"ecg","rate_hz":250,"unit":"mV","values":[0,1e300]"#),
        "samples.values[1]",
        "too large",
    );
    refused(&samples(r#""signal":"steps","unit":"1","values":[1]"#), "samples.unit", "accepted: none");
    refused(&samples(r#""signal":"heart-rate","unit":"/min","values":[60,61]"#), "samples.rate_hz", "is missing");
    let out_of_range = samples(r#""signal":"heart-rate","unit":"/min","rate_hz":1,"values":[60,9]"#);
    refused(&out_of_range, "samples.values[1]", "outside the plausible range 10 to 350 /min");
    refused(&samples(r#""signal":"heart-rate","unit":"/min","values":[null]"#), "samples.values[0]", "is null");
    refused(
        &samples(r#""signal":"heart-rate","unit":"/min","components":{"a":1}"#),
        "samples.components",
        "not a panel",
    );
    refused(&samples(r#""signal":"blood-pressure","unit":"mm[Hg]","values":[120]"#), "samples.values", "is a panel");
    let component = samples(r#""signal":"blood-pressure","unit":"mm[Hg]","components":{"sys":120}"#);
    refused(&component, "samples.components.sys", "it has: systolic, diastolic");
    let component = samples(r#""signal":"blood-pressure","unit":"mm[Hg]","components":{"systolic":12}"#);
    refused(&component, "samples.components.systolic", "outside");
    refused(&samples(r#""signal":"blood-pressure","components":{"systolic":120}"#), "samples.unit", "is missing");
    refused(
        &samples(r#""signal":"rr-interval","unit":"ms","rate_hz":1,"values":[800]"#),
        "samples.rate_hz",
        "no sampling rate",
    );
    refused(&gatt("2a99", &[]), "gatt.characteristic", "in no device row");
    refused(&gatt("heart", &[]), "gatt.characteristic", "UUID");
    refused(&gatt("2a37", &[0]), "gatt.value", "heart-rate-measurement: ends before or within heart_rate");
    refused(&gatt("2a37", &[0, 5]), "gatt.value: heart_rate", "outside");
    refused(&gatt("2a37", &[0; 513]), "gatt.value", "at most 512");
    refused(&packet(r#""gatt":{"characteristic":"2a37","value":"?"}"#), "gatt.value", "is not base64");
    refused(&packet(r#""vendor":{"schema":"acme/2","payload":{}}"#), "vendor.schema", "known: acme/1.0.0");
    refused(&packet(r#""vendor":{"schema":"acme/1.0.0","payload":{"x":1}}"#), "vendor.payload", "none of the fields");
    let text = packet(r#""vendor":{"schema":"acme/1.0.0","payload":{"pulse":"60"}}"#);
    refused(&text, "vendor.payload/pulse", "is not a number");
}

#[test]
fn notifications_are_found_by_short_and_full_uuid() {
    for uuid in ["2A37", "0x2a37", "00002A37-0000-1000-8000-00805f9b34fb"] {
        let read = readings(&gatt(uuid, &[0x10, 75, 0x00, 0x04, 0x00, 0x02, 0x0A, 0x00]));
        let [Reading::Scalar { value, .. }, Reading::Intervals { beats, .. }] = read.as_slice() else {
            panic!("{read:?}")
        };
        assert_eq!(*value, Ok(75.0));
        let intervals: Vec<_> = beats.iter().map(|b| b.interval_ms).collect();
        assert_eq!(intervals, [Some(1000.0), Some(500.0), None], "10/1024 s is no interval of a heart");
        assert_eq!(beats.last().map(|b| b.at), Some(start()));
        assert_eq!(beats[0].at, start().plus(-509_766));
    }
}

#[test]
fn a_cuff_gives_one_panel_and_its_pulse() {
    let bytes = [0x06, 120, 0, 0xFF, 0x07, 93, 0, 0xEA, 0x07, 1, 18, 14, 0, 0, 72, 0];
    let frame = decode(&gatt("2a35", &bytes), registry()).unwrap();
    let [Reading::Panel { components, .. }, Reading::Scalar { .. }] = frame.readings.as_slice() else {
        panic!("{frame:?}")
    };
    assert_eq!(
        components,
        &[("systolic".to_owned(), Ok(120.0)), ("diastolic".to_owned(), Err(AbsentReason::NotANumber))]
    );
    assert_eq!(frame.stated_time.unwrap().to_string(), "2026-01-18T14:00:00");
}

#[test]
fn fahrenheit_on_the_wire_is_kept_as_what_came() {
    let read = readings(&gatt("2a1c", &[0x01, 106, 0, 0, 0]));
    let [Reading::Scalar { value: Ok(37.0), original: Some((106.0, unit)), .. }] = read.as_slice() else {
        panic!("{read:?}")
    };
    assert_eq!(unit, "[degF]");
}

#[test]
fn vendor_fields_are_read_by_pointer() {
    let payload = r#"{"pulse":null,"ecg":[{"samples":[1000,null]}],"bp":{"sys":120}}"#;
    let read = readings(&packet(&format!(r#""vendor":{{"schema":"acme/1.0.0","payload":{payload}}}"#)));
    let [Reading::Scalar { value, .. }, Reading::Samples(block), Reading::Panel { .. }] = read.as_slice() else {
        panic!("{read:?}")
    };
    assert_eq!(*value, Err(AbsentReason::NotPerformed));
    assert_eq!(block.values[0], 1.0);
}

#[test]
fn vendor_units_and_quality_are_read_where_the_payload_states_them() {
    let vendor = |payload: &str| packet(&format!(r#""vendor":{{"schema":"acme/1.0.0","payload":{payload}}}"#));
    let frame = decode(&vendor(r#"{"skin":{"value":106,"unit":"[degF]"},"sqi":0.4}"#), registry()).unwrap();
    assert_eq!(frame.quality, Some(Quality::new(0.4)));
    assert!(matches!(frame.readings.as_slice(), [Reading::Scalar { value: Ok(37.0), original: Some(_), .. }]));
    refused(&vendor(r#"{"skin":{"value":106}}"#), "vendor.payload/skin/unit", "needs the unit");
    refused(&vendor(r#"{"skin":{"value":1,"unit":"furlong"}}"#), "vendor.payload/skin/value", "accepted: Cel, [degF]");
    refused(&vendor(r#"{"pulse":60,"sqi":7}"#), "vendor.payload/sqi", "[0, 1]");
}

#[test]
fn a_closing_packet_needs_no_content() {
    assert_eq!(readings(&packet(r#""end_of_stream":true"#)), []);
}

#[test]
fn rows_are_checked_against_the_decoders() {
    check(registry()).unwrap();
    for (from, to, expected) in [
        ("\"heart-rate-measurement\"", "\"heart-beat\"", "no heart-beat; known: heart-rate-measurement"),
        ("name = \"heart_rate\"", "name = \"rate\"", "gives heart_rate, rr_interval"),
        ("\"2a37\"", "\"2a3\"", "is no UUID"),
        ("/pulse", "pulse", "is no JSON Pointer"),
        (", rate_hz = 250", "", "rate_hz: ecg is a waveform"),
        ("unit = \"uV\"", "unit = \"V\"", "does not take V"),
    ] {
        let error = check(&registry_with(&DEVICES.replacen(from, to, 1))).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn built_in_rows_and_decoders_name_each_other() {
    let registry = Registry::builtin().unwrap();
    check(&registry).unwrap();
    for decoder in gatt::DECODERS {
        let named = registry.devices.values().flat_map(|m| &m.gatt).any(|s| s.decoder == decoder.name);
        assert!(named, "no device row names the decoder {}", decoder.name);
    }
}

proptest! {
    #[test]
    fn decoders_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        for decoder in gatt::DECODERS {
            if let Ok(decoded) = (decoder.decode)(&bytes) {
                for value in decoded.values {
                    prop_assert!(decoder.fields.contains(&value.field));
                    prop_assert!(value.value.is_ok_and(f64::is_finite) || value.value.is_err());
                }
            }
        }
    }

    #[test]
    fn what_is_accepted_decodes(
        signal in proptest::sample::select(SIGNALS).prop_map(|(code, _)| code),
        unit in proptest::option::of(proptest::sample::select(vec!["mV", "uV", "/min", "ms", "kPa", "Cel"])),
        rate in proptest::option::of(0.001_f64..100_000.0),
        values in proptest::collection::vec(proptest::option::of(any::<f64>().prop_filter("finite", |v| v.is_finite())), 1..5),
    ) {
        let mut packet = samples(r#""signal":"steps","values":[1]"#);
        let samples = packet.samples.as_mut().unwrap();
        samples.signal = code(signal);
        samples.unit = unit.map(str::to_owned);
        samples.rate_hz = rate;
        samples.values = values;
        prop_assert_eq!(accepts(&packet, registry()), decode(&packet, registry()).map(drop));
    }
}
