//! What API Gateway warns of when it imports a document: which warnings are known to be harmless, and what the others are about.
//! A warning holds no publication back: what an import made is compared with the document before it goes live.

use shared::front_door::records::Route;

use super::PublishedRoute;
use super::search::Named;

/// Two parts of each warning after which every method works as the document has it.
const HARMLESS: [(&str, &str); 4] = [
    // swagger-parser takes the `+` for a part of the variable's name, in named methods below `{proxy+}`; API Gateway does not.
    // https://github.com/swagger-api/swagger-parser/blob/master/modules/swagger-parser-v3/src/main/java/io/swagger/v3/parser/util/OpenAPIDeserializer.java
    ("Declared path parameter ", "+ needs to be defined as a path parameter in path or operation level"),
    // A base definition's documentation of a response goes, and no proxy integration needs it.
    // https://github.com/rstudio/plumber/issues/856
    ("API Gateway does not support Swagger's 'default' method response", ""),
    ("Unsupported model type '", " response to method '"),
    // Where a REST API is reached is decided by its domain names, and never by a document's servers.
    // https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-import-api.html
    ("More than one server provided.", "Ignoring all but the first"),
];

/// The warnings that somebody should read, a line each: with the route that they are about, where a published one has the
/// method and the path that they name.
pub fn to_report(warnings: &[String], routes: &[Route], goes: &[PublishedRoute]) -> Vec<String> {
    let is_harmless = |text: &String| HARMLESS.iter().any(|(one, other)| text.contains(one) && text.contains(other));
    warnings.iter().filter(|text| !is_harmless(text)).map(|text| line(text, routes, goes)).collect()
}

fn line(text: &str, routes: &[Route], goes: &[PublishedRoute]) -> String {
    let named = Named::in_text(text);
    let is_named = |one: &&PublishedRoute| {
        let (path, has_preflight) = (one.path.to_string(), one.spec.cors.is_some());
        named.as_ref().is_some_and(|named| named.is_of(&path, &one.spec.methods, has_preflight))
    };
    let Some(one) = goes.iter().find(is_named) else { return text.to_owned() };
    let name = routes.iter().find(|route| route.id == one.id).map_or(one.id.clone(), |route| route.origin.name());
    format!("{} {} (account {}, {name}): {text}", one.spec.methods, one.spec.path, one.owner)
}

#[cfg(test)]
mod tests {
    use super::super::select::select;
    use super::super::tests::{reading_of, route_at};
    use super::*;

    #[test]
    fn a_warning_is_reported_with_its_route_unless_it_is_known_to_be_harmless() {
        let reading = reading_of(vec![route_at("tests", "/part/test"), route_at("all", "/all/{proxy+}")]);
        let goes = select(&reading).goes;
        let (tests, all) =
            ("GET /part/test (account 123456789012, tests): ", "GET /all/{proxy+} (account 123456789012, all): ");
        // As AWS answered (recorded in LocalStack's snapshots of put-rest-api-oas30-srv-url), as users have reported it, and as
        // swagger-parser has it.
        for (warning, expected) in [
            (
                "Invalid format for 'requestParameters'. Expected type string for property 'integration.request.header.nothing' \
                 of resource '/part/test' and method 'GET' but got 'true'",
                Some(tests),
            ),
            ("Invalid format for 'requestParameters' of resource '/part/test' and method 'PUT'", Some("")),
            ("Invalid format for 'requestParameters' of resource '/theirs' and method 'GET'", Some("")),
            (
                "Parse issue: attribute paths.'/part/test'. Declared path parameter id needs to be defined as a path parameter in \
                 path or operation level",
                Some(tests),
            ),
            ("Parse issue: attribute paths.'/all/{proxy+}'(get).responses is missing", Some(all)),
            ("Reference to model 'Pet' not found. Ignoring.", Some("")),
            ("Unsupported model type 'StringSchema' in body of method 'GET /part/test'. Ignoring.", Some(tests)),
            (
                "Unable to create authorizer from security definition: 'pets'. Extension x-amazon-apigateway-authorizer is \
                 required. Any methods with security: 'pets' will not be created.",
                Some(""),
            ),
            (
                "Parse issue: attribute paths.'/all/{proxy+}'. Declared path parameter proxy+ needs to be defined as a path \
                 parameter in path or operation level",
                None,
            ),
            ("API Gateway does not support Swagger's 'default' method response (found on 'GET /echo')", None),
            ("Unsupported model type 'StringSchema' in 500 response to method 'GET /echo'. Ignoring.", None),
            ("More than one server provided. Ignoring all but the first for defining endpoint configuration", None),
        ] {
            let expected: Vec<String> = expected.iter().map(|route| format!("{route}{warning}")).collect();
            assert_eq!(to_report(&[warning.to_owned()], &reading.routes, &goes), expected);
        }
    }
}
