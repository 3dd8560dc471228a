//! Apps that people use: who signs in, what the app asks for, what it is granted, and the tokens it gets for that.
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html>

mod error;
#[cfg(test)]
pub(crate) mod fixture;
mod given;
mod grant;
mod launch;
mod person;
mod request;
mod session;
mod tokens;
mod upstream;

pub use error::{AppError, NotSignedIn};
pub use given::{GivenSignIn, SignInSettings};
pub use grant::Consent;
pub use launch::{LaunchContext, NoLaunch};
pub use person::{NewPerson, PersonError};
pub use request::{AppRequest, Pending};
pub use session::Session;
pub use tokens::{CodeUse, Tokens};
pub use upstream::{Answered, Asked, Upstream};

/// How long somebody has for signing in and for thinking about it.
const REQUEST_S: i64 = 600;
/// How long a browser in which somebody signed in is theirs.
const SESSION_S: i64 = 8 * 3600;
/// How long an app has to ask for what an EHR opened it for.
const LAUNCH_S: i64 = 300;
/// How long a code is good.
const CODE_S: i64 = 60;
/// How long an app may stay away that was granted offline access.
const OFFLINE_S: i64 = 90 * 86_400;

/// How people sign in.
#[derive(Debug, Clone)]
pub enum SignIn {
    /// At an identity provider.
    Upstream(Upstream),
    /// By saying who they are: for demonstrations with synthetic patients.
    Demo,
}

impl SignIn {
    /// What `oauth_person.issuer` says of those who sign in so.
    pub const DEMO_ISSUER: &'static str = "demo";
}
