//! What two or more functions of Foregate need.
//!
//! In the order that an invocation takes:
//!
//! 1. [`entry`] starts a function and hands it an invocation; [`identity`] says who calls.
//! 2. [`trigger`] tells by its shape what the payload is; [`deliveries`] answers a queue; [`custom_resource`] speaks CloudFormation's protocol, [`command`]
//!    is what all commands have in common.
//! 3. [`fields`], [`types`] and [`time`] read what a user wrote into types that can't hold nonsense.
//! 4. [`front_door`] is the words that `tenants`, `routes` and `publisher` share; [`origin`] is who asked for something.
//!    [`policy`] and [`openapi`] read what AWS says of an API: whom it lets in, and which methods it has.
//! 5. [`registry`] keeps records, [`lease`] keeps two workers from one thing.
//! 6. [`aws`] is the few calls that Foregate makes, and a model of them.
//! 7. [`error`] and [`telemetry`] are what leaves: the answer's error, log lines, metrics.
//!
//! Nothing here knows a function.

#![warn(missing_docs)]

pub mod aws;
pub mod command;
pub mod custom_resource;
pub mod deliveries;
pub mod entry;
pub mod error;
pub mod fields;
pub mod front_door;
pub mod identity;
pub mod lease;
pub mod openapi;
pub mod origin;
pub mod policy;
pub mod registry;
pub mod rest_api;
pub mod telemetry;
pub mod time;
pub mod trigger;
pub mod types;

pub(crate) use types::checked_string;
