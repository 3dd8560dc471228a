//! From FHIR packages to [`Tables`]: what the definitions say, without their prose.

mod correction;
mod definition;
mod package;
mod profile;
mod slicing;
mod terminology;
mod types;

pub use package::{Error, Package, Resource};

use std::collections::HashMap;

use crate::fhirpath;
use crate::table::{Constraint, Tables, TypeId};
use definition::StructureDefinition;

/// What a compilation left out, and why.
pub type Remarks = Vec<String>;

/// Adds packages to tables: R4 core first, then what builds on it. What a later package defines again holds.
pub fn compile(tables: &mut Tables, packages: &[Package]) -> Remarks {
    let mut compiler = Compiler::new(tables);
    let mut definitions: Vec<StructureDefinition> = Vec::new();
    for package in packages {
        compiler.tables.packages.push(package.name.clone());
        for resource in &package.resources {
            match resource.kind.as_str() {
                "StructureDefinition" => {
                    serde_json::from_slice(&resource.json).map(|definition| definitions.push(definition))
                }
                "CodeSystem" => terminology::code_system(&mut compiler, &resource.json),
                "ValueSet" => terminology::value_set(&mut compiler, &resource.json),
                _ => Ok(()),
            }
            .unwrap_or_else(|error| compiler.remark(format!("{}: {error}", resource.name)));
        }
    }
    terminology::filters(&mut compiler);
    types::compile(&mut compiler, &definitions);
    profile::compile(&mut compiler, &definitions);
    compiler.remarks
}

/// Tables in the making.
pub(crate) struct Compiler<'t> {
    tables: &'t mut Tables,
    types: HashMap<String, TypeId>,
    constraints: HashMap<Constraint, u32>,
    filters: terminology::Pending,
    remarks: Remarks,
}

impl<'t> Compiler<'t> {
    fn new(tables: &'t mut Tables) -> Self {
        let types = tables.types.iter().enumerate().map(|(id, kind)| (kind.name.clone(), id as TypeId)).collect();
        let constraints = tables.constraints.iter().enumerate().map(|(id, known)| (known.clone(), id as u32)).collect();
        Self { tables, types, constraints, filters: terminology::Pending::default(), remarks: Remarks::new() }
    }

    fn remark(&mut self, text: String) {
        self.remarks.push(text);
    }

    /// The index of an invariant; none for those that the shape of JSON stands for, and those FHIRPath is not known of.
    fn constraint(&mut self, constraint: &definition::Constraint) -> Option<u32> {
        let expression = constraint.expression.as_deref()?;
        if constraint.key == "ele-1" {
            return None;
        }
        let expression = correction::corrected(&constraint.key, expression);
        if let Err(error) = fhirpath::parse(&expression) {
            self.remarks.push(format!("the invariant {} is left out: {error}: {expression}", constraint.key));
            return None;
        }
        let error = constraint.severity == "error";
        let constraint = Constraint { key: constraint.key.clone(), error, expression };
        let next = self.tables.constraints.len() as u32;
        Some(*self.constraints.entry(constraint.clone()).or_insert_with(|| {
            self.tables.constraints.push(constraint);
            next
        }))
    }
}
