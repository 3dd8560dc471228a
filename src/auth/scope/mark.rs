//! Scopes that are about no resources: who the person is, what the app is opened for, how long it may come back.
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html>

/// A scope of an app that is about no resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Whoever signed in is told of.
    OpenId,
    /// As which resource.
    FhirUser,
    /// What the EHR opened the app for.
    Launch,
    /// A patient is chosen.
    LaunchPatient,
    /// The app may come back for as long as the person is signed in.
    OnlineAccess,
    /// The app may come back when the person is gone.
    OfflineAccess,
}

impl Mark {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::OpenId, Self::FhirUser, Self::Launch, Self::LaunchPatient, Self::OnlineAccess, Self::OfflineAccess];

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::OpenId => "openid",
            Self::FhirUser => "fhirUser",
            Self::Launch => "launch",
            Self::LaunchPatient => "launch/patient",
            Self::OnlineAccess => "online_access",
            Self::OfflineAccess => "offline_access",
        }
    }
}
