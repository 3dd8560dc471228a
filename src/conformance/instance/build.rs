//! From JSON to nodes: what is not of its type's shape is a fault.

use super::{Instance, NONE, Node, NodeId};
use crate::json::Json;
use crate::table::{Element, Kind, Tables, TypeId};

/// What JSON has that its type does not allow, or lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The node where that is.
    pub node: NodeId,
    /// What is wrong.
    pub text: String,
}

/// Builds the nodes of a resource; none if it is of no known type.
pub fn build<'a>(
    tables: &'a Tables,
    index: &TypeIndex,
    json: &'a Json<'a>,
) -> Result<(Instance<'a>, Vec<Fault>), String> {
    let kind = resource_type(tables, index, json)?;
    let mut builder =
        Builder { instance: Instance { tables, nodes: Vec::with_capacity(96) }, index, faults: Vec::new() };
    let root = builder.push(NONE, "", None, kind, Some(json), None);
    builder.object(root, json, None);
    Ok((builder.instance, builder.faults))
}

/// Types by name.
pub type TypeIndex = std::collections::HashMap<String, TypeId>;

fn resource_type(tables: &Tables, index: &TypeIndex, json: &Json<'_>) -> Result<TypeId, String> {
    let Json::Object(_) = json else { return Err("a resource is a JSON object".to_owned()) };
    let name = json.get("resourceType").ok_or("the property resourceType is missing")?;
    let name = name.as_str().ok_or("resourceType is a string")?;
    let known = index.get(name).filter(|id| {
        tables.types.get(usize::from(**id)).is_some_and(|kind| kind.kind == Kind::Resource && !kind.is_abstract)
    });
    known.copied().ok_or_else(|| format!("{name} is no resource of R4"))
}

struct Builder<'a, 'x> {
    instance: Instance<'a>,
    index: &'x TypeIndex,
    faults: Vec<Fault>,
}

impl<'a> Builder<'a, '_> {
    fn push(
        &mut self,
        parent: NodeId,
        name: &'a str,
        element: Option<&'a Element>,
        kind: TypeId,
        json: Option<&'a Json<'a>>,
        index: Option<u32>,
    ) -> NodeId {
        let id = self.instance.nodes.len() as NodeId;
        self.instance.nodes.push(Node { name, element, kind, json, index, parent, first: NONE, next: NONE });
        id
    }

    fn fault(&mut self, node: NodeId, text: String) {
        self.faults.push(Fault { node, text });
    }

    /// Adds a node's children: the properties of its object, and for a primitive those of its `_` sibling.
    fn object(&mut self, id: NodeId, json: &'a Json<'a>, last: Option<NodeId>) {
        let Json::Object(properties) = json else {
            let name = &self.instance.kind(id).name;
            return self.fault(id, format!("{name} is a JSON object"));
        };
        if properties.is_empty() {
            self.fault(id, "an object has properties".to_owned());
        }
        let kind = self.instance.kind(id);
        let mut last = last;
        for (at, (key, value)) in properties.iter().enumerate() {
            if properties.iter().take(at).any(|(earlier, _)| earlier == key) {
                self.fault(id, format!("the property {key} is there twice"));
                continue;
            }
            if key == "resourceType" && kind.kind == Kind::Resource {
                continue;
            }
            if key == "fhir_comments" {
                continue;
            }
            let (plain, extends) = key.strip_prefix('_').map_or((key.as_ref(), false), |plain| (plain, true));
            let Some((element, kind)) = self.find(kind, plain) else {
                self.fault(id, format!("{} has no property {key}", kind.name));
                continue;
            };
            let primitive = self.instance.tables.types[usize::from(kind)].kind == Kind::Primitive;
            if extends && !primitive {
                self.fault(id, format!("{key}: only primitives have extensions beside them"));
                continue;
            }
            let sibling = if primitive && !extends { sibling(properties, key) } else { None };
            if extends && json.get(plain).is_some() {
                continue;
            }
            let (value, extension) = if extends { (None, Some(value)) } else { (Some(value), sibling) };
            self.property(id, element, kind, key, value, extension, &mut last);
        }
    }

    /// The element of a JSON property, and its type.
    fn find(&self, kind: &'a crate::table::Type, key: &str) -> Option<(&'a Element, TypeId)> {
        if let Some(element) = kind.elements.iter().find(|element| element.name == key && !element.choice) {
            return element.types.first().map(|kind| (element, kind.id));
        }
        kind.elements.iter().filter(|element| element.choice).find_map(|element| {
            let suffix = key.strip_prefix(element.name.as_str())?;
            let types = &self.instance.tables.types;
            let found = element.types.iter().find(|kind| {
                let name = &types[usize::from(kind.id)].name;
                let mut letters = suffix.chars();
                letters
                    .next()
                    .is_some_and(|first| name.starts_with(first.to_ascii_lowercase()) || name.starts_with(first))
                    && suffix.starts_with(|first: char| first.is_ascii_uppercase())
                    && name.get(1..) == Some(letters.as_str())
            })?;
            Some((element, found.id))
        })
    }

    #[expect(clippy::too_many_arguments, reason = "a property is its name, element, type, value and extensions")]
    fn property(
        &mut self,
        parent: NodeId,
        element: &'a Element,
        kind: TypeId,
        key: &str,
        value: Option<&'a Json<'a>>,
        extension: Option<&'a Json<'a>>,
        last: &mut Option<NodeId>,
    ) {
        if element.max == 1 {
            for side in [value, extension].into_iter().flatten() {
                if let Json::Array(_) = side {
                    return self.fault(parent, format!("{key} does not repeat, so it is no array"));
                }
            }
            return self.single(parent, element, kind, key, (value, extension), None, last);
        }
        let mut sides = [None, None];
        let primitive = self.instance.tables.types[usize::from(kind)].kind == Kind::Primitive;
        for (side, items) in [value, extension].into_iter().zip(&mut sides) {
            match side {
                // The official validator lets an empty array of primitives pass.
                Some(Json::Array(array)) if array.is_empty() && !primitive => {
                    return self.fault(parent, format!("{key} is an empty array"));
                }
                Some(Json::Array(array)) => *items = Some(array),
                Some(_) => return self.fault(parent, format!("{key} repeats, so it is an array")),
                None => {}
            }
        }
        let count = sides.iter().flatten().map(|array| array.len()).max().unwrap_or(0);
        for index in 0..count {
            let [value, extension] = sides.map(|side| side.and_then(|array| array.get(index)));
            let both = (value, extension);
            self.single(parent, element, kind, key, both, Some(index as u32), last);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a property is its name, element, type, value and extensions")]
    fn single(
        &mut self,
        parent: NodeId,
        element: &'a Element,
        kind: TypeId,
        key: &str,
        (value, extension): (Option<&'a Json<'a>>, Option<&'a Json<'a>>),
        index: Option<u32>,
        last: &mut Option<NodeId>,
    ) {
        let present = |side: Option<&'a Json<'a>>| side.filter(|json| **json != Json::Null);
        let primitive = self.instance.tables.types[usize::from(kind)].kind == Kind::Primitive;
        let null_stands = primitive && index.is_some() && present(extension).is_some();
        if value == Some(&Json::Null) && !null_stands {
            return self.fault(parent, format!("{key} is null"));
        }
        let (value, extension) = (present(value), present(extension));
        let mut kind = kind;
        let within = &self.instance.tables.types[usize::from(kind)];
        if let (Kind::Resource, Some(json)) = (within.kind, value) {
            match resource_type(self.instance.tables, self.index, json) {
                Ok(actual) => kind = actual,
                Err(text) => return self.fault(parent, format!("{key}: {text}")),
            }
        }
        let id = self.push(parent, &element.name, Some(element), kind, value.filter(|_| true), index);
        match last.replace(id) {
            Some(previous) => self.instance.nodes[previous as usize].next = id,
            None => self.instance.nodes[parent as usize].first = id,
        }
        if primitive {
            self.primitive(id, key, value, extension);
        } else if let Some(json) = value {
            self.object(id, json, None);
        }
    }

    fn primitive(&mut self, id: NodeId, key: &str, value: Option<&'a Json<'a>>, extension: Option<&'a Json<'a>>) {
        let name = self.instance.kind(id).name.as_str();
        let fits = match value {
            None => true,
            Some(Json::Boolean(_)) => name == "boolean",
            Some(Json::Integer(_)) => matches!(name, "integer" | "unsignedInt" | "positiveInt" | "decimal"),
            Some(Json::Decimal(_)) => matches!(name, "decimal" | "integer" | "unsignedInt" | "positiveInt"),
            Some(Json::String(_)) => !matches!(name, "boolean" | "integer" | "unsignedInt" | "positiveInt" | "decimal"),
            Some(_) => false,
        };
        if !fits {
            self.instance.nodes[id as usize].json = None;
            return self.fault(id, format!("{key} is not the JSON of a {name}"));
        }
        if let Some(json) = extension {
            self.object(id, json, None);
        }
    }
}

fn sibling<'a>(properties: &'a [(std::borrow::Cow<'a, str>, Json<'a>)], key: &str) -> Option<&'a Json<'a>> {
    properties.iter().find(|(name, _)| name.strip_prefix('_') == Some(key)).map(|(_, value)| value)
}
