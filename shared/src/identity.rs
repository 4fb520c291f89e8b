//! Who is calling, from nothing but what AWS vouches for: the alias in the invoked ARN, or an event's account.

use aws_lambda_events::eventbridge::EventBridgeEvent;

use crate::error::Error;
use crate::types::{AccountId, Arn};

/// Whoever invoked the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// An unqualified invoke: an operator, a stack or an event of the central account itself.
    Operator(AccountId),
    /// An invoke of the alias `account-ACCOUNT`, whose resource policy admits that account alone.
    Tenant(AccountId),
}

impl Caller {
    /// The caller behind an invocation, from the context's `invoked_function_arn`.
    ///
    /// An alias that Foregate did not make vouches for nobody and is refused.
    pub fn of_invocation(invoked_function_arn: &str) -> Result<Self, Error> {
        let unknown = || Error::forbidden(format!("'{invoked_function_arn}' is not a function that Foregate serves"));
        let arn = Arn::parse(invoked_function_arn).filter(|arn| arn.service == "lambda").ok_or_else(unknown)?;
        let central: AccountId = arn.account.parse().map_err(|_| unknown())?;
        let mut parts = arn.resource.strip_prefix("function:").ok_or_else(unknown)?.split(':');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(_), None | Some("$LATEST"), None) => Ok(Self::Operator(central)),
            (Some(_), Some(alias), None) => {
                let tenant = alias.strip_prefix("account-").and_then(|account| account.parse().ok());
                tenant.map(Self::Tenant).ok_or_else(|| {
                    Error::forbidden(format!(
                        "alias '{alias}' belongs to no account: invoke the function unqualified as an operator, or \
                         through the alias account-ACCOUNT that your platform team gave you"
                    ))
                })
            }
            _ => Err(unknown()),
        }
    }

    /// The sender of an EventBridge event, from the envelope's `account`, which EventBridge fills in.
    ///
    /// An event of the central account is an operator's; one of another account is a tenant's.
    pub fn of_event(event: &EventBridgeEvent, central: &AccountId) -> Result<Self, Error> {
        let account = event.account.as_deref().unwrap_or_default();
        let account: AccountId = account.parse().map_err(|e| Error::forbidden(format!("the event's account: {e}")))?;
        Ok(if account == *central { Self::Operator(account) } else { Self::Tenant(account) })
    }

    /// The account that AWS vouches for.
    pub fn account(&self) -> &AccountId {
        match self {
            Self::Operator(account) | Self::Tenant(account) => account,
        }
    }

    /// Refuses everybody but operators of the central account.
    pub fn operator_only(&self, function: &str) -> Result<(), Error> {
        match self {
            Self::Operator(_) => Ok(()),
            Self::Tenant(account) => Err(Error::forbidden(format!(
                "account {account} may not use {function}: only operators of the central account may"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorType;

    #[test]
    fn the_alias_says_who_calls() {
        let function = "arn:aws:lambda:eu-west-1:111122223333:function:foregate-routes";
        let account = |id: &str| id.parse::<AccountId>().unwrap();
        for (suffix, caller) in [
            ("", Caller::Operator(account("111122223333"))),
            (":$LATEST", Caller::Operator(account("111122223333"))),
            (":account-444455556666", Caller::Tenant(account("444455556666"))),
        ] {
            assert_eq!(Caller::of_invocation(&format!("{function}{suffix}")), Ok(caller));
        }
    }

    #[test]
    fn an_event_is_its_accounts_whatever_its_detail_says() {
        let central: AccountId = "111122223333".parse().unwrap();
        let event = |account: &str| {
            let event = serde_json::json!({
                "source": "pets", "detail-type": "Foregate Route Apply", "account": account,
                "detail": {"account": "111122223333"},
            });
            serde_json::from_value::<EventBridgeEvent>(event).unwrap()
        };
        assert_eq!(Caller::of_event(&event("111122223333"), &central), Ok(Caller::Operator(central.clone())));
        let tenant = Caller::Tenant("444455556666".parse().unwrap());
        assert_eq!(Caller::of_event(&event("444455556666"), &central), Ok(tenant));
        assert_eq!(Caller::of_event(&event(""), &central).unwrap_err().error_type, ErrorType::Forbidden);
    }

    #[test]
    fn an_alias_that_vouches_for_nobody_is_refused() {
        for suffix in [":live", ":account-", ":account-4444", ":account-444455556666x", ":7", ":a:b"] {
            let arn = format!("arn:aws:lambda:eu-west-1:111122223333:function:foregate-routes{suffix}");
            assert_eq!(Caller::of_invocation(&arn).unwrap_err().error_type, ErrorType::Forbidden, "{suffix}");
        }
        for arn in ["", "arn:aws:sns:eu-west-1:111122223333:function:x", "foregate-routes"] {
            assert_eq!(Caller::of_invocation(arn).unwrap_err().error_type, ErrorType::Forbidden, "{arn}");
        }
    }
}
