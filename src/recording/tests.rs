use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::id::DeviceKey;
use crate::packet::RawPacket;
use crate::time::DeviceTime;

fn registry() -> Registry {
    Registry::builtin().unwrap()
}

fn cut(channels: Selection) -> Cut {
    Cut { device: DeviceKey::new("wfdb-x").unwrap(), start: None, packet_s: 1.0, channels }
}

/// A folder with these files, and the path of the first.
fn folder(files: &[(&str, &[u8])]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let first = folder.path().join(files[0].0);
    (folder, first)
}

fn values(packets: &[RawPacket], stream: &str) -> Vec<Option<f64>> {
    let of = packets.iter().filter(|p| p.stream.as_str() == stream);
    of.flat_map(|p| p.samples.as_ref().unwrap().values.clone()).collect()
}

#[track_caller]
fn refused(files: &[(&str, &[u8])], expected: &str) {
    let (_folder, path) = folder(files);
    let error = Recording::open(&path, None, &registry()).err().unwrap().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn interleaved_format_212_is_read_to_the_bit() {
    // MLII: 955, 1024, missing; V1: 992, 0, 2047; MLII 995 and V1 1011 of record 101 are the well-known first bytes.
    let dat = [0xBB, 0x33, 0xE0, 0x00, 0x04, 0x00, 0x00, 0x78, 0xFF];
    let header = "x 2 2 3\nx.dat 212 200 11 1024 955 -69 0 MLII\nx.dat 212 200(24)/mV 11 1024 992 0 0 V1\n";
    let (_folder, path) = folder(&[("x.hea", header.as_bytes()), ("x.dat", &dat)]);
    let recording = Recording::open(&path, None, &registry()).unwrap();
    assert_eq!(recording.notices, Vec::<String>::new());
    let packets: Vec<RawPacket> = recording.packets(&cut(Selection::All)).unwrap().collect();
    assert_eq!(values(&packets, "ecg"), [Some(-0.345), Some(0.0), None]);
    assert_eq!(values(&packets, "ecg-V1"), [Some(4.84), Some(-0.12), Some(10.115)]);
    let lead =
        |stream: &str| packets.iter().find(|p| p.stream.as_str() == stream).unwrap().samples.clone().unwrap().lead;
    assert_eq!((lead("ecg").as_deref(), lead("ecg-V1").as_deref()), (Some("MLII"), Some("V1")));
    let first: Vec<RawPacket> = recording.packets(&cut(Selection::First)).unwrap().collect();
    assert_eq!(first.len(), 2);
    assert!(first.iter().all(|p| p.stream.as_str() == "ecg"));
}

#[test]
fn format_16_with_an_offset_several_rates_and_wrong_sums() {
    let mut dat = vec![0; 24];
    for count in [100_i16, 7, 200, 8, 300, 9, -100, 10] {
        dat.extend(count.to_le_bytes());
    }
    // Two samples of the first signal to one of each other: frames of [ecg, ecg, resp, abp].
    let header = "x 3 4 2 10:00:00 18/01/2026\nx.mat 16x2+24 100/mV 16 0 99 1 0 II\nx.mat 16+24 1/pm 16 0 200 0 0 RESP\n\
        x.mat 16+24 1/mmHg 16 0 8 18 0 ABP\n";
    let (_folder, path) = folder(&[("x.hea", header.as_bytes()), ("x.mat", &dat)]);
    let recording = Recording::open(&path.with_extension(""), None, &registry()).unwrap();
    let notices = recording.notices.join("\n");
    assert!(notices.contains("II: the first sample is 100, the header says 99"), "{notices}");
    assert!(notices.contains("II: the checksum is 416, the header says 1"), "{notices}");
    assert!(notices.contains("ABP is left out: pressure waveforms have no row"), "{notices}");
    let packets: Vec<RawPacket> = recording.packets(&cut(Selection::First)).unwrap().collect();
    assert_eq!(values(&packets, "ecg"), [Some(1.0), Some(0.07), Some(3.0), Some(0.09)]);
    assert_eq!(values(&packets, "respiration"), [Some(200.0), Some(-100.0)]);
    assert_eq!(packets[0].device_time, DeviceTime::parse("2026-01-18T10:00:00Z").unwrap());
    let named = recording.packets(&cut(Selection::Named(vec!["ABP".to_owned()]))).err().unwrap().to_string();
    assert!(named.contains("channel ABP: pressure waveforms"), "{named}");
    let unknown = recording.packets(&cut(Selection::Named(vec!["V9".to_owned()]))).err().unwrap().to_string();
    assert!(unknown.contains("it has II, RESP, ABP"), "{unknown}");
}

#[test]
fn segments_are_joined_with_holes_where_they_lack_a_signal() {
    let bytes = |counts: &[i16]| counts.iter().flat_map(|c| c.to_le_bytes()).collect::<Vec<u8>>();
    let layout = "l 2 2 0\n~ 0 1/mV 16 0 0 0 0 II\n~ 0 1/mV 16 0 0 0 0 V\n";
    let files: [(&str, &[u8]); 6] = [
        ("x.hea", b"x/4 2 2 6\nl 0\na 2\n~ 1\nb 3\n"),
        ("l.hea", layout.as_bytes()),
        ("a.hea", b"a 2 2 2\na.dat 16 1/mV 16 0 0 0 0 II\na.dat 16 1/mV 16 0 0 0 0 V\n"),
        ("a.dat", &bytes(&[1, 10, 2, 20])),
        ("b.hea", b"b 1 2 3\nb.dat 16 1/mV 16 0 0 0 0 V\n"),
        ("b.dat", &bytes(&[30, 40, 50])),
    ];
    let (_folder, path) = folder(&files);
    let recording = Recording::open(&path, None, &registry()).unwrap();
    let read = |at: usize| (0..7).map(|i| recording.channels[at].value(i)).collect::<Vec<_>>();
    assert_eq!(recording.channels.iter().map(|c| c.samples).collect::<Vec<_>>(), [6, 6]);
    assert_eq!(read(0), [Some(1.0), Some(2.0), None, None, None, None, None]);
    assert_eq!(read(1), [Some(10.0), Some(20.0), None, Some(30.0), Some(40.0), Some(50.0), None]);
    assert_eq!(wfdb::head(&path).unwrap().signals.len(), 2);
}

#[test]
fn compressed_tables_are_read() {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut writer, b"time,II [mV]\n0,1\n0.5,2\n1.0,3\n").unwrap();
    let (_folder, path) = folder(&[("t.csv.gz", &writer.finish().unwrap())]);
    let recording = Recording::open(&path, None, &registry()).unwrap();
    assert_eq!((recording.name.as_str(), recording.channels[0].values()), ("t", vec![1.0, 2.0, 3.0]));
    refused(&[("t.edf.gz", &[])], "a compressed file of this kind");
}

#[test]
fn every_sample_is_sent_once_and_time_does_not_drift() {
    let samples = 1_003_u32;
    let dat: Vec<u8> = (0..samples).flat_map(|i| (i as i16).to_le_bytes()).collect();
    let header = format!("x 1 128.3 {samples}\nx.dat 16 1/mV 16 0 0 0 0 ECG\n");
    let (_folder, path) = folder(&[("x.hea", header.as_bytes()), ("x.dat", &dat)]);
    let recording = Recording::open(&path, None, &registry()).unwrap();
    for packet_s in [0.01, 0.5, 1.0, 3.7, 60.0] {
        let cut = Cut { packet_s, ..cut(Selection::First) };
        let packets: Vec<RawPacket> = recording.packets(&cut).unwrap().collect();
        assert_eq!(values(&packets, "ecg"), (0..samples).map(|i| Some(f64::from(i))).collect::<Vec<_>>());
        let mut sent = 0;
        for (number, packet) in packets.iter().enumerate() {
            assert_eq!(packet.sequence, number as u64);
            let expected = 1_767_225_600_000_000.0 + (f64::from(sent) * 1e6 / 128.3).round();
            assert_eq!(packet.device_time.0, expected as i64);
            assert_eq!(packet.end_of_stream, number + 1 == packets.len());
            sent += packet.samples.as_ref().unwrap().values.len() as u32;
        }
        assert!(recording.estimate(&cut).unwrap().abs_diff(packets.len() as u64) <= 1);
    }
}

#[test]
fn records_that_cannot_be_read_say_why() {
    refused(&[("x.hea", b"x 1 360 10\nx.dat 212 200\n"), ("x.dat", &[0; 6])], "holds 4 of the 10 samples");
    refused(&[("x.hea", b"x 1 360 10\nx.dat 8 200\n"), ("x.dat", &[0; 6])], "signal format 8 is not supported");
    refused(&[("x.hea", b"x 1 360 10\nx.dat 16 200\n")], "x.dat: cannot be read");
    refused(&[("x.bdf", b"")], "BDF is not supported");
    refused(&[("x", b"")], "x.hea: cannot be read");
}

#[test]
fn tables_with_time_units_and_holes() {
    let table = "# note\nTime [s], RESP, \"II [mV]\", HR, ABP\n0,0.1,0.5,60,80\n0.5,nan,-0.25,61,80\n1.0,0.3,,,80\n1.5,0.4,1e-1,63,80\n";
    let (_folder, path) = folder(&[("t.csv", table.as_bytes())]);
    let recording = Recording::open(&path, None, &registry()).unwrap();
    let packets: Vec<RawPacket> = recording.packets(&cut(Selection::First)).unwrap().collect();
    assert_eq!(values(&packets, "ecg"), [Some(0.5), Some(-0.25), None, Some(0.1)]);
    assert_eq!(values(&packets, "respiration"), [Some(0.1), None, Some(0.3), Some(0.4)]);
    let rates: Vec<&RawPacket> = packets.iter().filter(|p| p.stream.as_str() == "heart-rate").collect();
    let lengths: Vec<usize> = rates.iter().map(|p| p.samples.as_ref().unwrap().values.len()).collect();
    assert_eq!(lengths, [2, 1], "a scalar that is missing is not sent");
    assert_eq!(rates[1].device_time.0 - rates[0].device_time.0, 1_500_000);
    assert!(rates[1].end_of_stream);
    let ends = packets.iter().filter(|p| p.end_of_stream).count();
    assert_eq!(ends, 3);
    assert!(packets.iter().all(|p| crate::device::accepts(p, &registry()).is_ok()));
}

#[test]
fn tables_with_timestamps_or_a_given_rate() {
    let table = "timestamp;PLETH\n2026-01-18T14:32:12.000Z;1\n2026-01-18T14:32:12.008Z;2\n2026-01-18T14:32:12.016Z;3\n";
    let (_folder, path) = folder(&[("t.csv", table.as_bytes())]);
    let recording = Recording::open(&path, None, &registry()).unwrap();
    assert_eq!(recording.start, Some(Instant::parse("2026-01-18T14:32:12Z").unwrap()));
    assert_eq!(recording.channels[0].rate_hz, 125.0);

    // Six significant digits: 100.004 is printed as 100.
    let steps = (0..20_000).map(|i| format!("{:.*},1\n", if i < 12_500 { 3 } else { 2 }, f64::from(i) * 0.008));
    let table = "time,PLETH\n".to_owned() + &steps.collect::<String>();
    let (_folder, path) = folder(&[("t.csv", table.as_bytes())]);
    assert_eq!(Recording::open(&path, None, &registry()).unwrap().channels[0].rate_hz, 125.0);

    let (_folder, path) = folder(&[("t.csv", b"ECG [uV]\n1\n2\n")]);
    let recording = Recording::open(&path, Some(250.0), &registry()).unwrap();
    assert_eq!(recording.channels[0].target.as_ref().unwrap().unit, "uV");

    for (table, expected) in [
        ("ECG [mV]\n1\n", "has no time column, so its sampling rate must be given"),
        ("0,1\n2,3\n", "needs a header row"),
        ("", "the table is empty"),
        ("time,ECG [mV]\n0,1\n1,2,3\n", "line 3: has more cells than the 2"),
        ("time,ECG [mV]\n0,1\n1\n", "line 3: has 1 cells"),
        ("time,ECG [mV]\n0,1\n1,x\n", "line 3: ECG: \"x\" is not a finite number"),
        ("time,ECG [mV]\n0,1\n1,inf\n", "not a finite number"),
        ("time,ECG [mV]\n0,1\n1,1\n9,1\n10,1\n", "out of step"),
        ("time,ECG [mV]\n0,1\n1,1\n2,1\n3,1\n4,1\n6,1\n7,1\n8,1\n9,1\n10,1\n", "line 7: the time is out of step"),
        ("time,ECG [mV]\n5,1\n5,1\n", "times do not advance"),
        ("time,ECG [mV]\n", "column is empty"),
    ] {
        refused(&[("t.csv", table.as_bytes())], expected);
    }
    let (_folder, path) = folder(&[("t.csv", b"time,ECG\n0,1\n0.1,2\n")]);
    let recording = Recording::open(&path, None, &registry()).unwrap();
    let error = recording.packets(&cut(Selection::First)).err().unwrap().to_string();
    assert!(error.contains("ECG: states no unit; write it in brackets after the name, one of mV"), "{error}");
}

#[test]
fn packet_files_are_sent_as_they_stand() {
    let line = r#"{"signature":"s","device":"d","stream":"e","sequence":7,"device_time":"2026-01-18T14:32:12Z","end_of_stream":true}"#;
    let (_folder, path) = folder(&[("p.ndjson", format!("{line}\n\n{line}\n{{}}\n").as_bytes())]);
    assert!(is_packet_file(&path) && !is_packet_file(&path.with_extension("csv")));
    let lines: Vec<_> = PacketFile::open(&path).unwrap().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1].as_ref().unwrap().text, line);
    assert!(lines[2].as_ref().unwrap_err().to_string().contains("line 4"));
}

/// Record 101 of the MIT-BIH Arrhythmia Database, where it is beside the repository.
#[test]
fn a_real_record_is_read_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/signals/dev/mitdb");
    if !folder.join("101.hea").exists() {
        eprintln!("skipped: no record 101 in {}", folder.display());
        return;
    }
    let recording = Recording::open(&folder.join("101"), None, &registry()).unwrap();
    assert_eq!(recording.notices, Vec::<String>::new(), "checksums and initial values hold");
    assert_eq!((recording.name.as_str(), recording.start), ("101", None));
    let shape: Vec<_> = recording.channels.iter().map(|c| (c.name.as_str(), c.rate_hz, c.samples)).collect();
    assert_eq!(shape, [("MLII", 360.0, 650_000), ("V1", 360.0, 650_000)]);
    assert_eq!(recording.channels[0].value(0), Some((955.0 - 1024.0) / 200.0));
    assert_eq!(recording.channels[1].value(0), Some((992.0 - 1024.0) / 200.0));
    let mut streams: BTreeMap<String, (usize, u64)> = BTreeMap::new();
    for packet in recording.packets(&cut(Selection::All)).unwrap() {
        let stream = streams.entry(packet.stream.to_string()).or_default();
        stream.0 += packet.samples.as_ref().unwrap().values.len();
        stream.1 = packet.sequence;
        assert_eq!(packet.end_of_stream, packet.sequence == 1805);
    }
    let whole = (650_000, 1805);
    assert_eq!(streams, BTreeMap::from([("ecg".to_owned(), whole), ("ecg-V1".to_owned(), whole)]));

    let annotations = wfdb::annotations(&folder.join("101.atr")).unwrap();
    assert_eq!((annotations[0].sample, annotations[0].symbol, annotations[0].text.as_str()), (7, "+", "(N"));
    assert_eq!(annotations.iter().filter(|a| a.beat).count(), 1865);
}
