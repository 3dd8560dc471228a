//! Invariants that were published wrong: what they say instead, as the official validator has it.

const CORRECTIONS: &[(&str, &str)] = &[
    (
        "probability is decimal implies (probability as decimal) <= 100",
        "(probability.exists() and (probability is decimal)) implies ((probability as decimal) <= 100)",
    ),
    (
        "enableWhen.count() > 2 implies enableBehavior.exists()",
        "enableWhen.count() >= 2 implies enableBehavior.exists()",
    ),
    ("operator = 'exists' implies (answer is Boolean)", "operator = 'exists' implies (answer is boolean)"),
    ("text.`div`.exists()", "(%rootResource != $this) or text.`div`.exists()"),
    (
        "reference.startsWith('#').not() or (reference.substring(1).trace('url') in %rootResource.contained.id.trace('ids'))",
        "reference.exists() implies (reference = '#' or reference.startsWith('#').not() \
         or (reference.substring(1) in %rootResource.contained.id))",
    ),
    ("fullUrl.contains('/_history/').not()", "fullUrl.exists() implies fullUrl.contains('/_history/').not()"),
    (
        "name.matches('[A-Z]([A-Za-z0-9_]){0,254}')",
        "name.exists() implies name.matches('^[A-Z]([A-Za-z0-9_]){0,254}$')",
    ),
    (
        "clinicalStatus.exists() or verificationStatus.coding.where(system='http://terminology.hl7.org/CodeSystem/condition-ver-status' and code = 'entered-in-error').exists() or category.select($this='problem-list-item').empty()",
        "(verificationStatus.coding.where(system='http://terminology.hl7.org/CodeSystem/condition-ver-status' and code = 'entered-in-error').exists() and category.coding.exists(system='http://terminology.hl7.org/CodeSystem/condition-category' and code ='problem-list-item').empty()) implies (clinicalStatus.exists())",
    ),
    (
        "offset.empty() or (when.exists() and ((when in ('C' | 'CM' | 'CD' | 'CV')).not()))",
        "offset.empty() or (when.exists() and when.select($this in ('C' | 'CM' | 'CD' | 'CV')).allFalse())",
    ),
    ("telecom or endpoint", "telecom.exists() or endpoint.exists()"),
];

/// An invariant's expression as it is meant.
pub(super) fn corrected(key: &str, expression: &str) -> String {
    let known = CORRECTIONS.iter().find(|(published, _)| *published == expression);
    match (known, key) {
        (Some((_, corrected)), _) => (*corrected).to_owned(),
        (None, "eld-19") => format!("path.matches('{}')", r#"^[^\\s\\.,:;\\\'"\\/|?!@#$%&*()\\[\\]{}]{1,64}(\\.[^\\s\\.,:;\\\'"\\/|?!@#$%&*()\\[\\]{}]{1,64}(\\[x\\])?(\\:[^\\s\\.]+)?)*$"#),
        (None, "eld-20") => r"path.matches('^[A-Za-z][A-Za-z0-9]*(\\.[a-z][A-Za-z0-9]*(\\[x])?)*$')".to_owned(),
        (None, "dom-3") => "contained.where((('#'+id in (%resource.descendants().reference | %resource.descendants().ofType(canonical) \
             | %resource.descendants().ofType(uri) | %resource.descendants().ofType(url))) \
             or descendants().where(reference = '#').exists() or descendants().where(ofType(canonical) = '#').exists()).not()).empty()"
            .to_owned(),
        _ => expression.to_owned(),
    }
}
