//! Bundles written from stored bytes: entries are appended, never parsed. <https://hl7.org/fhir/R4/bundle.html>

/// `Bundle.entry.search.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchMode {
    /// Answers the search.
    Match,
    /// Came along by `_include` or `_revinclude`.
    Include,
    /// An OperationOutcome about the search.
    Outcome,
}

/// Writes a Bundle of type searchset or history entry by entry.
#[derive(Debug)]
pub struct BundleWriter {
    bytes: Vec<u8>,
    entries: usize,
}

impl BundleWriter {
    /// A Bundle of `kind` with its `total` (where known) and links (relation, absolute URL).
    pub fn new(kind: &str, total: Option<u64>, links: &[(&str, String)]) -> Self {
        let mut bytes = Vec::with_capacity(4096);
        bytes.extend_from_slice(br#"{"resourceType":"Bundle","type":"#);
        push_string(&mut bytes, kind);
        if let Some(total) = total {
            bytes.extend_from_slice(format!(r#","total":{total}"#).as_bytes());
        }
        if !links.is_empty() {
            bytes.extend_from_slice(br#","link":["#);
            for (i, (relation, url)) in links.iter().enumerate() {
                if i > 0 {
                    bytes.push(b',');
                }
                bytes.extend_from_slice(br#"{"relation":"#);
                push_string(&mut bytes, relation);
                bytes.extend_from_slice(br#","url":"#);
                push_string(&mut bytes, url);
                bytes.push(b'}');
            }
            bytes.push(b']');
        }
        Self { bytes, entries: 0 }
    }

    /// Appends a search result; `resource` is whole FHIR JSON.
    pub fn search_entry(&mut self, full_url: &str, resource: &[u8], mode: SearchMode) {
        self.open_entry();
        self.full_url_and_resource(full_url, resource);
        let mode = match mode {
            SearchMode::Match => "match",
            SearchMode::Include => "include",
            SearchMode::Outcome => "outcome",
        };
        self.bytes.extend_from_slice(format!(r#","search":{{"mode":"{mode}"}}}}"#).as_bytes());
    }

    /// Appends a history entry with the request that made the version and its outcome.
    pub fn history_entry(
        &mut self,
        full_url: &str,
        resource: Option<&[u8]>,
        request: (&str, &str),
        response: &HistoryResponse<'_>,
    ) {
        self.open_entry();
        if let Some(resource) = resource {
            self.full_url_and_resource(full_url, resource);
        } else {
            self.bytes.extend_from_slice(br#""fullUrl":"#);
            push_string(&mut self.bytes, full_url);
        }
        self.bytes.extend_from_slice(br#","request":{"method":"#);
        push_string(&mut self.bytes, request.0);
        self.bytes.extend_from_slice(br#","url":"#);
        push_string(&mut self.bytes, request.1);
        self.bytes.extend_from_slice(br#"},"response":{"status":"#);
        push_string(&mut self.bytes, response.status);
        self.bytes.extend_from_slice(br#","etag":"#);
        push_string(&mut self.bytes, &format!("W/\"{}\"", response.version));
        self.bytes.extend_from_slice(br#","lastModified":"#);
        push_string(&mut self.bytes, response.last_modified);
        self.bytes.extend_from_slice(b"}}");
    }

    /// Appends the answer to an entry of a batch or transaction.
    pub fn response_entry(&mut self, resource: Option<&[u8]>, response: &EntryResponse<'_>) {
        self.open_entry();
        if let Some(resource) = resource {
            self.bytes.extend_from_slice(br#""resource":"#);
            self.bytes.extend_from_slice(resource);
            self.bytes.push(b',');
        }
        self.bytes.extend_from_slice(br#""response":{"status":"#);
        push_string(&mut self.bytes, &response.status);
        let texts =
            [("location", response.location), ("etag", response.etag), ("lastModified", response.last_modified)];
        for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text?))) {
            self.bytes.extend_from_slice(format!(r#","{name}":"#).as_bytes());
            push_string(&mut self.bytes, text);
        }
        if let Some(outcome) = response.outcome {
            self.bytes.extend_from_slice(br#","outcome":"#);
            self.bytes.extend_from_slice(outcome);
        }
        self.bytes.extend_from_slice(b"}}");
    }

    /// The finished Bundle.
    pub fn finish(mut self) -> Vec<u8> {
        if self.entries > 0 {
            self.bytes.push(b']');
        }
        self.bytes.push(b'}');
        self.bytes
    }

    fn open_entry(&mut self) {
        self.bytes.extend_from_slice(if self.entries == 0 { br#","entry":[{"#.as_slice() } else { b",{".as_slice() });
        self.entries += 1;
    }

    fn full_url_and_resource(&mut self, full_url: &str, resource: &[u8]) {
        self.bytes.extend_from_slice(br#""fullUrl":"#);
        push_string(&mut self.bytes, full_url);
        self.bytes.extend_from_slice(br#","resource":"#);
        self.bytes.extend_from_slice(resource);
    }
}

/// `Bundle.entry.response` of a batch or transaction.
#[derive(Debug)]
pub struct EntryResponse<'a> {
    /// `201 Created`
    pub status: String,
    /// Where the version is, absolute.
    pub location: Option<&'a str>,
    /// Entity tag.
    pub etag: Option<&'a str>,
    /// When it was made, as an instant.
    pub last_modified: Option<&'a str>,
    /// A whole OperationOutcome.
    pub outcome: Option<&'a [u8]>,
}

/// `Bundle.entry.response` of a history entry.
#[derive(Debug, Clone, Copy)]
pub struct HistoryResponse<'a> {
    /// HTTP status of the interaction, `201` or `200`.
    pub status: &'a str,
    /// The version it made.
    pub version: i64,
    /// When.
    pub last_modified: &'a str,
}

fn push_string(out: &mut Vec<u8>, value: &str) {
    // A string always serializes; the alternative keeps this function total without a panic.
    out.extend_from_slice(&serde_json::to_vec(value).unwrap_or_else(|_| b"\"\"".to_vec()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_searchset_has_no_entry_array() {
        let bundle =
            BundleWriter::new("searchset", Some(0), &[("self", "http://x/Observation?a=\"b\"".to_owned())]).finish();
        crate::json::parse(&bundle).unwrap();
        assert!(!String::from_utf8(bundle).unwrap().contains("entry"));
    }

    #[test]
    fn entries_are_whole_resources() {
        let mut bundle = BundleWriter::new("history", None, &[]);
        let response = HistoryResponse { status: "201", version: 1, last_modified: "2026-01-01T00:00:00.000Z" };
        bundle.history_entry(
            "http://x/Device/1",
            Some(br#"{"resourceType":"Device"}"#),
            ("PUT", "Device/1"),
            &response,
        );
        crate::json::parse(&bundle.finish()).unwrap();
    }
}
