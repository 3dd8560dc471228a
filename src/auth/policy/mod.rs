//! The one place where access is decided: who may do what, where, under which conditions. In Cedar, so that an operator can
//! add to it and read why. <https://docs.cedarpolicy.com>
//!
//! Which resources of a type a scope with a query or a patient is about is no question for it: that becomes part of the
//! search (`rest::guard`).

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::str::FromStr as _;

use cedar_policy::{
    Authorizer, Context, Decision as CedarDecision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet,
    Request, RestrictedExpression, Schema, ValidationMode, Validator,
};

use super::grant::{Grant, GrantKind};
use super::scope::Access;
use crate::id::TenantId;

const SCHEMA: &str = include_str!("schema.cedarschema");
const BASE: &str = include_str!("base.cedar");

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// To resources of a type.
    Fhir(Access),
    /// Send packets.
    Ingest,
    /// Use the control plane.
    Control,
}

impl Action {
    /// The action of a name, as policies write it.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "ingest" => Some(Self::Ingest),
            "control" => Some(Self::Control),
            word => Access::ALL.into_iter().find(|access| access.word() == word).map(Self::Fhir),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Fhir(access) => access.word(),
            Self::Ingest => "ingest",
            Self::Control => "control",
        }
    }
}

/// Where something is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// Whether it holds synthetic patients alone.
    pub synthetic: bool,
    /// Whether a business associate agreement is in force for it.
    pub baa: bool,
    /// The resource type; nothing where the action is not about one.
    pub kind: Option<&'a str>,
}

/// What was decided, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may be done.
    pub is_allowed: bool,
    /// The `@id`s of the policies that decided, and what went wrong with others.
    pub reasons: Vec<String>,
}

/// Why a policy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It cannot be read.
    #[error("policy: {0}")]
    Parse(String),
    /// It speaks of what there is not.
    #[error("policy: {0}")]
    Invalid(String),
    /// It permits; what is permitted is what scopes grant.
    #[error("policy {0}: only forbid is of use; what is permitted is what scopes grant")]
    Permits(String),
}

/// The policies in force.
pub struct Policy {
    policies: PolicySet,
    schema: Schema,
    authorizer: Authorizer,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy").finish_non_exhaustive()
    }
}

impl Policy {
    /// What holds everywhere, and what an operator forbids beside it, in Cedar.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn new(own: Option<&str>) -> Result<Self, PolicyError> {
        let parse = |error: &dyn std::fmt::Display| PolicyError::Parse(error.to_string());
        if let Some(own) = own {
            let own = PolicySet::from_str(own).map_err(|e| parse(&e))?;
            if let Some(permit) = own.policies().find(|policy| policy.effect() == cedar_policy::Effect::Permit) {
                return Err(PolicyError::Permits(name(permit)));
            }
        }
        let text = format!("{BASE}\n{}", own.unwrap_or_default());
        let policies = PolicySet::from_str(&text).map_err(|e| parse(&e))?;
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|e| parse(&e))?;
        let validated = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        let errors: Vec<String> = validated.validation_errors().map(ToString::to_string).collect();
        if !errors.is_empty() {
            return Err(PolicyError::Invalid(errors.join("; ")));
        }
        Ok(Self { policies, schema, authorizer: Authorizer::new() })
    }

    /// Decides. What cannot be decided is refused.
    pub fn decide(&self, grant: &Grant, action: Action, place: Place<'_>) -> Decision {
        let refused = |reason: String| Decision { is_allowed: false, reasons: vec![reason] };
        let (request, entities) = match self.request(grant, action, place) {
            Ok(request) => request,
            Err(problem) => return refused(problem),
        };
        let response = self.authorizer.is_authorized(&request, &self.policies, &entities);
        let mut errors = response.diagnostics().errors().map(ToString::to_string).peekable();
        if errors.peek().is_some() {
            // A policy that fails is left out by Cedar; one that forbids must not be.
            return refused(errors.collect::<Vec<_>>().join("; "));
        }
        let of_id = |id| self.policies.policy(id).map(name);
        Decision {
            is_allowed: response.decision() == CedarDecision::Allow,
            reasons: response.diagnostics().reason().filter_map(of_id).collect(),
        }
    }

    fn request(&self, grant: &Grant, action: Action, place: Place<'_>) -> Result<(Request, Entities), String> {
        let (boolean, text) =
            (RestrictedExpression::new_bool, |text: &str| RestrictedExpression::new_string(text.to_owned()));
        let scope = match (action, place.kind) {
            (Action::Fhir(access), Some(kind)) => grant.covers(kind, access),
            (Action::Ingest, _) => grant.scope.may_ingest(),
            (Action::Control, _) => grant.scope.may_control(),
            (Action::Fhir(_), None) => return Err("which type it is about is not said".to_owned()),
        };
        let client = uid(if grant.kind == GrantKind::Key { "Key" } else { "Client" }, &grant.key_id)?;
        let who = grant.user.as_ref().map_or_else(|| Ok(client.clone()), |user| uid("User", &user.id))?;
        let what = uid("Action", action.name())?;
        let on = match place.kind {
            Some(kind) => uid("Resource", kind)?,
            None => uid("Endpoint", action.name())?,
        };
        let mut attributes = HashMap::from([
            ("tenant".to_owned(), text(grant.tenant.as_str())),
            ("sandbox".to_owned(), boolean(grant.sandbox)),
        ]);
        attributes.extend(grant.user.as_ref().map(|user| ("role".to_owned(), text(user.role()))));
        attributes.extend(grant.consent.map(|consent| ("consent".to_owned(), text(consent.word()))));
        attributes.extend(grant.patient.as_ref().map(|patient| ("patient".to_owned(), text(patient.as_str()))));
        let of_place = HashMap::from([
            ("tenant".to_owned(), text(place.tenant.as_str())),
            ("synthetic".to_owned(), boolean(place.synthetic)),
            ("baa".to_owned(), boolean(place.baa)),
        ]);
        let entity = |uid: &EntityUid, attributes, parents: &[&EntityUid]| {
            let parents: HashSet<EntityUid> = parents.iter().map(|parent| (*parent).clone()).collect();
            Entity::new(uid.clone(), attributes, parents).map_err(|e| e.to_string())
        };
        let mut entities = vec![entity(&on, of_place, &[])?];
        if grant.user.is_some() {
            // What is said of an app holds for whoever uses it.
            let of_client = attributes.iter().filter(|(name, _)| matches!(name.as_str(), "tenant" | "sandbox"));
            entities.push(entity(&client, of_client.map(|(k, v)| (k.clone(), v.clone())).collect(), &[])?);
            entities.push(entity(&who, attributes, &[&client])?);
        } else {
            entities.push(entity(&who, attributes, &[])?);
        }
        let entities = Entities::from_entities(entities, Some(&self.schema)).map_err(|e| e.to_string())?;
        let context = Context::from_pairs([("scope".to_owned(), boolean(scope))]).map_err(|e| e.to_string())?;
        let request = Request::new(who, what, on, context, Some(&self.schema)).map_err(|e| e.to_string())?;
        Ok((request, entities))
    }
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, String> {
    let kind = EntityTypeName::from_str(kind).map_err(|e| e.to_string())?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

/// What a policy calls itself.
fn name(policy: &cedar_policy::Policy) -> String {
    policy.annotation("id").map_or_else(|| policy.id().to_string(), str::to_owned)
}
