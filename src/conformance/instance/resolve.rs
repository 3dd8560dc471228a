//! Where a reference leads within an instance.

use super::{Instance, NodeId};

impl Instance<'_> {
    /// What a reference leads to: a contained resource, or an entry of the Bundle that the node is in.
    pub fn resolve(&self, reference: &str, from: NodeId) -> Option<NodeId> {
        let root = self.root_resource(from);
        if let Some(id) = reference.strip_prefix('#') {
            if id.is_empty() {
                return Some(root);
            }
            return self.named(root, "contained").find(|contained| self.text(*contained, "id") == Some(id));
        }
        let (entry, bundle) = self.entry_of(root)?;
        let whole = reference.split('#').next().unwrap_or(reference);
        let wanted = self.absolute(whole, entry);
        self.named(bundle, "entry").find_map(|entry| {
            let resource = self.child(entry, "resource")?;
            match self.text(entry, "fullUrl") {
                Some(url) => (unversioned(url) == unversioned(&wanted)).then_some(resource),
                None => None,
            }
        })
    }

    /// The entry and the Bundle that a resource is in.
    pub fn entry_of(&self, resource: NodeId) -> Option<(NodeId, NodeId)> {
        let entry = self.parent(resource)?;
        let bundle = self.parent(entry)?;
        (self.node(entry).name == "entry" && self.kind(bundle).name == "Bundle").then_some((entry, bundle))
    }

    /// A reference, with the server's address of the entry that it stands in when it is relative to that.
    fn absolute(&self, reference: &str, entry: NodeId) -> String {
        let relative = !reference.contains("://") && !reference.starts_with("urn:");
        let base = self.text(entry, "fullUrl").filter(|_| relative).and_then(|url| {
            let (rest, _) = url.rsplit_once('/')?;
            rest.rsplit_once('/').filter(|_| url.starts_with("http"))
        });
        match base {
            Some((base, _)) => format!("{base}/{reference}"),
            None => reference.to_owned(),
        }
    }
}

/// A resource's URL without the version.
fn unversioned(url: &str) -> &str {
    url.split("/_history/").next().unwrap_or(url)
}
