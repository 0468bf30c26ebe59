//! The own account and its logins.

use actors::account::{AccountField, DisplayName, Email, Password, Privacy, Username};
use actors::command::{Manage, ProfileChange};
use actors::content::AboutText;

use crate::protocol::error::{WireError, account_field};
use crate::protocol::fields::Fields;
use crate::protocol::wire::account::AUDIENCES;

/// Reads `account.*` and `login.*`.
pub(super) fn read(op: &str, d: &mut Fields<'_>) -> Result<Option<Manage>, WireError> {
    Ok(Some(match op {
        "account.get" => Manage::Show,
        "account.update" => Manage::Profile(Box::new(profile(d)?)),
        "account.password" => {
            let (old, new) = (given(d, "old")?, d.text("new")?);
            let new = Password::new(&d.needed("new", new)?);
            Manage::Password { old, new: new.ok_or_else(|| WireError::validation("new", account_field(AccountField::Password).1))? }
        }
        "account.email" => {
            let (password, email) = (given(d, "password")?, d.text("email")?);
            let email = Email::new(&d.needed("email", email)?);
            Manage::Email { password, email: email.ok_or_else(|| unfit(AccountField::Email))? }
        }
        "account.deactivate" => Manage::Deactivate { password: given(d, "password")? },
        "account.delete" => Manage::Delete { password: given(d, "password")? },
        "login.list" => Manage::Logins,
        "login.end" => {
            let login = d.login("login")?;
            Manage::EndLogin(d.needed("login", login)?)
        }
        "login.end_others" => Manage::EndOtherLogins,
        "login.end_all" => Manage::EndAllLogins,
        _ => return Ok(None),
    }))
}

fn unfit(field: AccountField) -> WireError {
    let (name, why) = account_field(field);
    WireError::validation(name, why)
}

/// A password that is only to be compared.
fn given(d: &mut Fields<'_>, name: &'static str) -> Result<Password, WireError> {
    let text = d.text(name)?;
    Ok(Password::given(&d.needed(name, text)?))
}

fn display_name(d: &mut Fields<'_>, name: &'static str) -> Result<Option<DisplayName>, WireError> {
    let text = d.text(name)?;
    let read = |text: &str| DisplayName::new(text).ok_or_else(|| WireError::validation(name, account_field(AccountField::Name).1));
    text.map(|text| read(&text)).transpose()
}

fn profile(d: &mut Fields<'_>) -> Result<ProfileChange, WireError> {
    let username = d.text("username")?;
    let about = d.text("about")?;
    let change = ProfileChange {
        username: username.map(|text| Username::new(&text).ok_or_else(|| unfit(AccountField::Username))).transpose()?,
        name: display_name(d, "name")?,
        first_name: display_name(d, "first_name")?,
        last_name: display_name(d, "last_name")?,
        about: about.map(|text| AboutText::new(&text).map_err(|fault| d.unfit("about", fault))).transpose()?,
        picture: d.picture("picture")?,
        privacy: privacy(d)?,
    };
    if change == ProfileChange::default() {
        d.nothing_left()?;
        return Err(WireError::validation("name", "is missing; or give another field of the profile"));
    }
    Ok(change)
}

/// All of it or nothing: half of it would depend on what stood before.
fn privacy(d: &mut Fields<'_>) -> Result<Option<Privacy>, WireError> {
    let Some(value) = d.value("privacy") else { return Ok(None) };
    let mut shows = Fields::of(value, "privacy", "privacy.")?;
    let (presence, receipts) = (shows.word("presence", AUDIENCES)?, shows.flag("receipts")?);
    let (searchable, groups) = (shows.flag("searchable")?, shows.word("groups", AUDIENCES)?);
    let privacy = Privacy {
        presence: shows.needed("presence", presence)?,
        receipts: shows.needed("receipts", receipts)?,
        searchable: shows.needed("searchable", searchable)?,
        groups: shows.needed("groups", groups)?,
    };
    shows.end()?;
    Ok(Some(privacy))
}
