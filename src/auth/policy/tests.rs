//! What is decided, and what is said of it.

use super::*;
use crate::auth::{PatientConsent, ScopeSet};

fn grant(scope: &str) -> Grant {
    Grant {
        kind: GrantKind::Key,
        tenant: TenantId::new("a").unwrap(),
        synthetic: true,
        sandbox: true,
        scope: ScopeSet::parse(scope),
        patient: None,
        baa: false,
        consent: None,
        key_id: "key_1".to_owned(),
        user: None,
        token: None,
    }
}

#[track_caller]
fn check(
    policy: &Policy,
    grant: &Grant,
    action: Action,
    (tenant, synthetic): (&str, bool),
    expected: Result<(), &str>,
) {
    let tenant = TenantId::new(tenant).unwrap();
    let kind = matches!(action, Action::Fhir(_)).then_some("Observation");
    let decision = policy.decide(grant, action, Place { tenant: &tenant, synthetic, baa: grant.baa, kind });
    assert_eq!(decision.is_allowed, expected.is_ok(), "{decision:?}");
    assert_eq!(decision.reasons, [expected.err().unwrap_or("scope")]);
}

#[test]
fn what_no_scope_grants_is_refused_and_told_why() {
    let policy = Policy::new(None).unwrap();
    let here = ("a", true);
    let (search, read) = (Action::Fhir(Access::Search), Action::Fhir(Access::Read));
    let key = grant("system/Observation.s ingest");
    check(&policy, &key, search, here, Ok(()));
    check(&policy, &key, Action::Ingest, here, Ok(()));
    check(&policy, &key, read, here, Err("no scope"));
    check(&policy, &key, Action::Control, here, Err("no scope"));
    check(&policy, &key, search, ("b", true), Err("other tenant"));
    check(&policy, &key, search, ("a", false), Err("sandbox key among real patients"));
    let mut patients = grant("patient/Observation.s ingest");
    check(&policy, &patients, search, here, Err("no scope"));
    patients.patient = Some(crate::id::ResourceId::new("p").unwrap());
    check(&policy, &patients, search, here, Ok(()));
    check(&policy, &patients, Action::Ingest, here, Err("one patient's caller"));
}

#[test]
fn an_operator_can_forbid_more_and_permit_nothing() {
    let own = r#"@id("no deletes of mine") forbid (principal == Key::"key_1", action == Action::"delete", resource);"#;
    let policy = Policy::new(Some(own)).unwrap();
    let key = grant("system/*.cruds");
    check(&policy, &key, Action::Fhir(Access::Delete), ("a", true), Err("no deletes of mine"));
    check(&policy, &key, Action::Fhir(Access::Update), ("a", true), Ok(()));
    let permits = Policy::new(Some("@id(\"all\") permit (principal, action, resource);")).unwrap_err();
    assert!(matches!(permits, PolicyError::Permits(id) if id == "all"));
    for wrong in [
        "forbid",
        "forbid (principal, action == Action::\"fly\", resource);",
        "forbid (principal, action, resource) when { principal.shoe };",
    ] {
        assert!(Policy::new(Some(wrong)).is_err(), "{wrong}");
    }
}

#[test]
fn an_operator_can_speak_of_apps_and_of_the_people_who_use_them() {
    let own = r#"
        @id("not this app") forbid (principal in Client::"client_1", action == Action::"delete", resource);
        @id("practitioners do not create") forbid (principal is User, action == Action::"create", resource)
            when { principal.role == "practitioner" };"#;
    let policy = Policy::new(Some(own)).unwrap();
    let user = |resource: &str| {
        let user = super::super::grant::User { id: "person_1".to_owned(), resource: resource.to_owned() };
        Grant {
            kind: GrantKind::Token,
            key_id: "client_1".to_owned(),
            patient: user.patient(),
            user: Some(user),
            ..grant("user/*.cruds")
        }
    };
    let (practitioner, patient) = (user("Practitioner/d"), user("Patient/p"));
    for (who, access, expected) in [
        (&practitioner, Access::Delete, Err("not this app")),
        (&patient, Access::Delete, Err("not this app")),
        (&practitioner, Access::Create, Err("practitioners do not create")),
        (&patient, Access::Create, Ok(())),
        (&practitioner, Access::Read, Ok(())),
    ] {
        check(&policy, who, Action::Fhir(access), ("a", true), expected);
    }
    check(&policy, &practitioner, Action::Fhir(Access::Read), ("b", true), Err("other tenant"));
}

#[test]
fn without_an_agreement_or_against_a_patients_will() {
    let own = r#"@id("no BAA") forbid (principal, action, resource) unless { resource.synthetic || resource.baa };"#;
    let policy = Policy::new(Some(own)).unwrap();
    let read = Action::Fhir(Access::Read);
    let mut key = Grant { sandbox: false, synthetic: false, ..grant("system/*.rs patient/*.rs") };
    check(&policy, &key, read, ("a", false), Err("no BAA"));
    check(&policy, &key, read, ("a", true), Ok(()));
    key.baa = true;
    check(&policy, &key, read, ("a", false), Ok(()));
    let patient = crate::id::ResourceId::new("p").unwrap();
    key.patient = Some(patient.clone());
    for (consent, expected) in [
        (None, Ok(())),
        (Some(PatientConsent::Given), Ok(())),
        (Some(PatientConsent::Refused), Err("the patient has said no")),
    ] {
        key.consent = consent;
        check(&policy, &key, read, ("a", false), expected);
    }
    // They may see themselves what they let nobody else see.
    let resource = format!("Patient/{patient}");
    key.user = Some(super::super::grant::User { id: "person_1".to_owned(), resource });
    key.kind = GrantKind::Token;
    check(&policy, &key, read, ("a", false), Ok(()));
    // An operator may ask for more than that nobody has said no.
    let own = r#"@id("no consent") forbid (principal is User, action, resource is Resource)
        unless { principal has consent && principal.consent == "given" };"#;
    let policy = Policy::new(Some(own)).unwrap();
    key.consent = None;
    check(&policy, &key, read, ("a", true), Err("no consent"));
}
