//! Bundles: what their entries are among each other.

use super::run::{Issues, Run};
use crate::instance::NodeId;
use crate::issue::{Code, Severity};
use crate::primitive;

impl Run<'_, '_> {
    /// Checks all Bundles of the instance.
    pub(super) fn bundle(&self, issues: &mut Issues) {
        for id in 0..self.instance.nodes.len() as NodeId {
            if self.instance.kind(id).name == "Bundle" {
                let kind = self.instance.text(id, "type").unwrap_or_default();
                for entry in self.instance.named(id, "entry") {
                    self.entry(entry, kind, issues);
                }
            }
        }
    }

    fn entry(&self, entry: NodeId, kind: &str, issues: &mut Issues) {
        let url = self.instance.text(entry, "fullUrl");
        let resource = self.instance.child(entry, "resource");
        let error = |issues: &mut Issues, text: &str| self.found(issues, Severity::Error, Code::Structure, entry, text);
        if let Some(url) = url
            && !primitive::is_absolute(url)
        {
            error(issues, "fullUrl is absolute");
        }
        let sent = matches!(kind, "transaction" | "batch");
        if let (Some(url), Some(resource)) = (url, resource)
            && url.starts_with("http")
            && !sent
        {
            let id = self.instance.text(resource, "id");
            let tail = id.map(|id| format!("/{}/{id}", self.instance.kind(resource).name));
            if tail.is_none_or(|tail| !url.ends_with(&tail)) {
                error(issues, "fullUrl does not end with the resource's type and id");
            }
        }
        if url.is_none() && resource.is_some() && matches!(kind, "document" | "message" | "searchset" | "collection") {
            error(issues, "fullUrl is missing");
        }
    }
}
