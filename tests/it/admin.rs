//! `afferent admin` beside a running server.

use crate::support::{Server, scalar};

#[test]
fn keys_can_be_made_while_packets_come_in() {
    let server = Server::shared();
    let client = server.tenant();
    std::thread::scope(|scope| {
        let keys = scope.spawn(|| (0..15).map(|_| server.tenant()).collect::<Vec<_>>().len());
        let mut sequence = 0;
        while !keys.is_finished() {
            sequence += 1;
            // Each on a patient of its own: of several that measure the same of one patient, one counts.
            client.link_device(&format!("d{sequence}"), &format!("p{sequence}")).expect(201);
            let packet = scalar(&format!("d{sequence}"), 1, "spo2", "%", 95.0);
            client.ingest(&[packet]).expect(202);
        }
        client.settle();
        assert_eq!(client.observations(), sequence);
    });
}
