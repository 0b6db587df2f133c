//! One answer and more for each rule of each provider.

use super::*;

fn violation(id: &str, value: &str) -> Value {
    json!({"quotaId": id, "quotaValue": value})
}

#[test]
fn googles_error_info_decides_whatever_the_message_says() {
    use Reason::{Billing, Forbidden, InvalidKey, Request};
    for (info, reason) in [
        ("API_KEY_INVALID", InvalidKey),
        ("CONSUMER_SUSPENDED", InvalidKey),
        ("CONSUMER_INVALID", InvalidKey),
        ("ACCOUNT_STATE_INVALID", InvalidKey),
        ("SERVICE_DISABLED", Forbidden),
        ("API_KEY_SERVICE_BLOCKED", Forbidden),
        ("API_KEY_HTTP_REFERRER_BLOCKED", Forbidden),
        ("API_KEY_IP_ADDRESS_BLOCKED", Forbidden),
        ("API_KEY_ANDROID_APP_BLOCKED", Forbidden),
        ("API_KEY_IOS_APP_BLOCKED", Forbidden),
        ("BILLING_DISABLED", Billing),
        ("CREDENTIALS_MISSING", Request),
    ] {
        // The status alone would give another reason in each case.
        let status = if reason == Request { 401 } else { 400 };
        let details = json!([{"@type": "type.googleapis.com/google.rpc.Help"}, {"reason": info}]);
        assert_eq!(of(status, &google(status, "X", "text", &details)), without_wait(reason), "{info}");
    }
    assert_eq!(of(400, &google(400, "X", "", &json!([{"reason": "NEW"}]))), without_wait(Request));
}

#[test]
fn googles_sentences_count_where_details_are_missing() {
    use Reason::{Billing, Forbidden, Host, InvalidKey, Model, Request};
    for (status, name, message, reason) in [
        (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", InvalidKey),
        (400, "INVALID_ARGUMENT", "API Key not found. Please pass a valid API key.", InvalidKey),
        (400, "INVALID_ARGUMENT", "API key expired. Please renew the API key.", InvalidKey),
        (400, "INVALID_ARGUMENT", "Invalid value at 'contents[0]': \"API key not valid.\"", Request),
        (403, "PERMISSION_DENIED", "Your API key was reported as leaked. Please use another API key.", InvalidKey),
        (403, "PERMISSION_DENIED", "Your project has been denied access. Please contact support.", InvalidKey),
        (403, "PERMISSION_DENIED", "You do not have permission to access the File x or it may not exist.", Request),
        (403, "PERMISSION_DENIED", "CachedContent not found (or permission denied)", Request),
        (403, "PERMISSION_DENIED", "The caller does not have permission", Forbidden),
        (400, "FAILED_PRECONDITION", "User location is not supported for the API use.", Host),
        (400, "failed_precondition", "User location is not supported for the API use.", Host),
        (400, "FAILED_PRECONDITION", "Not available in your country. Please enable billing on your project", Billing),
        (400, "FAILED_PRECONDITION", "The File x is not in an ACTIVE state", Request),
        (400, "INVALID_ARGUMENT", "User location is not supported", Request),
        (404, "NOT_FOUND", "This model m is no longer available to new users.", Model),
        (404, "NOT_FOUND", "models/m is not found. It is no longer available to new users", Request),
        (404, "NOT_FOUND", "This model is not known.", Request),
        (401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", InvalidKey),
    ] {
        assert_eq!(of(status, &google(status, name, message, &json!([]))), without_wait(reason), "{message}");
    }
}

#[test]
fn a_google_quota_is_read_from_its_violations() {
    use Reason::{DailyQuota, Model, RateLimited};
    let minute = violation("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "5");
    let day = violation("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "20");
    let none = violation("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "0");
    let boilerplate = "You exceeded your current quota, please check your plan and billing details.";
    for (violations, delay, reason, wait) in [
        (json!([minute]), "38.601s", RateLimited, Some(38_601)),
        (json!([minute]), "373.8ms", RateLimited, Some(373)),
        (json!([minute]), "0s", RateLimited, None),
        (json!([minute]), "-5s", RateLimited, None),
        (json!([minute, day]), "36s", DailyQuota, Some(36_000)),
        (json!([day, none]), "36s", Model, None),
        (json!([none]), "60s", Model, None),
        (json!([none]), "60.5s", Model, Some(60_500)),
        (json!([none]), "10h17m5s", Model, Some(37_025_000)),
        (json!([minute]), "99999h", RateLimited, Some(LONGEST_WAIT.as_millis())),
        (json!([minute]), "99999999999999999999s", RateLimited, Some(LONGEST_WAIT.as_millis())),
    ] {
        let details = json!([{"violations": violations}, {"retryDelay": delay}]);
        let body = google(429, "RESOURCE_EXHAUSTED", boilerplate, &details);
        assert_eq!(of(429, &body), (reason, wait), "{details}");
    }
}

#[test]
fn a_google_quota_without_details_is_read_from_its_message() {
    use Reason::{Model, RateLimited};
    let metric = "* Quota exceeded for metric: generativelanguage.googleapis.com/x_requests";
    for (message, reason, wait) in [
        (format!("{metric}, limit: 20, model: m\nPlease retry in 36.4s."), RateLimited, Some(36_400)),
        (format!("{metric}, limit: 0, model: m\nPlease retry in 36.4s."), Model, None),
        (format!("{metric}, limit: 5\n{metric}, limit: 0\nPlease retry in 2h0m0s."), Model, Some(7_200_000)),
        (format!("{metric}, limit: 0 Please retry in 2h0m0s."), Model, Some(7_200_000)),
        (format!("{metric}, limit: 05, model: m"), RateLimited, None),
        ("The limit: 0 was met".to_owned(), RateLimited, None),
        ("quota of requests per day".to_owned(), RateLimited, None),
    ] {
        assert_eq!(of(429, &google(429, "RESOURCE_EXHAUSTED", &message, &json!([]))), (reason, wait), "{message}");
    }
    // Violations that have a limit say more than the text.
    let details = json!([{"violations": [violation("GenerateRequestsPerMinute", "5")]}]);
    let message = format!("{metric}, limit: 0");
    assert_eq!(of(429, &google(429, "X", &message, &details)), (RateLimited, None));
}

#[test]
fn the_body_goes_before_the_headers_and_they_before_nothing() {
    let body = |delay: &str| google(429, "RESOURCE_EXHAUSTED", "", &json!([{"retryDelay": delay}])).to_string();
    let wait = |status, body: &str| reading(status, &[("Retry-After", "7")], body).retry_after;
    assert_eq!(wait(429, &body("36s")), Some(Duration::from_secs(36)));
    assert_eq!(wait(429, &body("")), Some(Duration::from_secs(7)));
    assert_eq!(wait(503, &body("36s")), Some(Duration::from_secs(36)));
    assert_eq!(wait(503, &body("")), Some(Duration::from_secs(7)));
    assert_eq!(wait(429, "busy"), Some(Duration::from_secs(7)));
    assert_eq!(
        wait(429, r#"{"error": {"type": "requests", "message": "Please try again in 2s"}}"#),
        Some(Duration::from_secs(7))
    );
    assert_eq!(reading(429, &[("Retry-After", "0")], "").retry_after, None);
    for never in ["999999999", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        assert_eq!(reading(503, &[("Retry-After", never)], "").retry_after, Some(LONGEST_WAIT), "{never}");
    }
}

#[test]
fn openais_codes_are_told_apart() {
    use Reason::{Billing, Forbidden, Host, InvalidKey, Model, RateLimited, Request, Server};
    let quota = "You exceeded your current quota, please check your plan and billing details.";
    for (status, kind, code, message, reason) in [
        (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: x", InvalidKey),
        (401, "invalid_request_error", "account_deactivated", "", InvalidKey),
        (401, "invalid_request_error", "", "You didn't provide an API key. You need to", Request),
        (401, "invalid_request_error", "", "IP not authorized", Host),
        (401, "invalid_request_error", "", "Your IP address is not on the list", Host),
        (
            401,
            "",
            "",
            "You have insufficient permissions for this operation. Missing scopes: model.request.",
            Forbidden,
        ),
        (403, "request_forbidden", "unsupported_country_region_territory", "", Host),
        (403, "invalid_request_error", "model_not_found", "Project x does not have access to model y", Model),
        (403, "", "", "", Forbidden),
        (404, "invalid_request_error", "model_not_found", "", Model),
        (404, "invalid_request_error", "", "", Request),
        (400, "invalid_request_error", "model_not_found", "", Request),
        (429, "insufficient_quota", "something_new", quota, Billing),
        (429, "", "insufficient_quota", quota, Billing),
        (429, "", "credit_balance_exhausted", quota, Billing),
        (429, "", "organization_spend_limit_exceeded", quota, Billing),
        (429, "", "project_spend_limit_exceeded", quota, Billing),
        (429, "", "organization_usage_limit_exceeded", quota, Billing),
        (400, "invalid_request_error", "billing_hard_limit_reached", "", Billing),
        (429, "billing_not_active", "billing_not_active", "", Billing),
        (429, "requests", "rate_limit_exceeded", quota, RateLimited),
        (500, "server_error", "", "", Server),
    ] {
        let body = json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
        assert_eq!(of(status, &body), without_wait(reason), "{status} {kind} {code} {message}");
    }
    let body = json!({"error": {"message": "Limit 3. Please try again in 6m0s.", "type": "requests", "code": "rate_limit_exceeded"}});
    assert_eq!(of(429, &body), (RateLimited, Some(360_000)));
    // Azure: a status as the code, and seconds as words.
    let body = json!({"error": {"code": "429", "message": "Rate limit is exceeded. Please retry after 26 seconds."}});
    assert_eq!(of(429, &body), (RateLimited, Some(26_000)));
}

#[test]
fn anthropics_types_are_told_apart() {
    use Reason::{Billing, Forbidden, InvalidKey, RateLimited, Request, Server};
    for (status, kind, message, reason) in [
        (400, "invalid_request_error", "messages: field required", Request),
        (400, "invalid_request_error", "Your credit balance is too low to access the API.", Billing),
        (400, "invalid_request_error", "You have reached your specified API usage limits.", Billing),
        (400, "invalid_request_error", "You have reached your specified workspace API usage limits.", Billing),
        (401, "authentication_error", "invalid x-api-key", InvalidKey),
        (401, "authentication_error", "x-api-key header is required", Request),
        (402, "billing_error", "", Billing),
        (403, "permission_error", "", Forbidden),
        (404, "not_found_error", "", Request),
        (413, "request_too_large", "", Request),
        (429, "rate_limit_error", "Number of requests has exceeded your limit", RateLimited),
        (500, "api_error", "", Server),
        (529, "overloaded_error", "", Server),
    ] {
        let body = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"});
        assert_eq!(of(status, &body), without_wait(reason), "{status} {message}");
        if kind != "invalid_request_error" && status != 401 {
            assert_eq!(of(200, &body), without_wait(reason), "in a stream: {kind}");
        }
    }
    let kinds = [("authentication_error", InvalidKey), ("timeout_error", Server)];
    for (kind, reason) in kinds {
        assert_eq!(of(200, &json!({"type": "error", "error": {"type": kind}})), without_wait(reason), "{kind}");
    }
    let spent = json!({"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low"}});
    assert_eq!(of(200, &spent), without_wait(Billing));
}

#[test]
fn an_error_inside_a_200_is_read_from_its_code() {
    use Reason::{DailyQuota, Forbidden, Host, InvalidKey, Model, RateLimited, Request, Server};
    for (code, reason) in [
        ("invalid_request", Request),
        ("authentication", InvalidKey),
        ("unauthenticated", InvalidKey),
        ("permission_denied", Forbidden),
        ("not_found", Request),
        ("rate_limit_exceeded", RateLimited),
        ("resource_exhausted", RateLimited),
        ("quota_exceeded", DailyQuota),
        ("cancelled", Request),
        ("unknown", Server),
        ("internal", Server),
        ("data_loss", Server),
        ("unimplemented", Server),
        ("unavailable", Server),
        ("deadline_exceeded", Server),
    ] {
        assert_eq!(of(200, &json!({"error": {"code": code, "message": ""}})), without_wait(reason), "{code}");
        let named = json!({"error": {"status": code.to_uppercase(), "message": ""}});
        let reason = if code == "quota_exceeded" { RateLimited } else { reason };
        assert_eq!(of(200, &named), without_wait(reason), "{named}");
    }
    for (code, reason) in [
        ("invalid_api_key", InvalidKey),
        ("account_deactivated", InvalidKey),
        ("authentication_error", InvalidKey),
        ("permission_error", Forbidden),
        ("unsupported_country_region_territory", Host),
        ("model_not_found", Model),
        ("rate_limit_exceeded", RateLimited),
        ("rate_limit_error", RateLimited),
        ("slow_down", RateLimited),
        ("server_error", Server),
        ("server_is_overloaded", Server),
        ("service_unavailable_error", Server),
        ("overloaded_error", Server),
        ("never_heard_of", Request),
    ] {
        assert_eq!(of(200, &json!({"error": {"code": code, "type": null}})), without_wait(reason), "{code}");
    }
    assert_eq!(of(200, &json!({"error": {"code": null, "type": "server_error"}})), without_wait(Server));
    let overloaded =
        json!({"error": {"code": "server_is_overloaded", "type": "", "message": "Please try again in 2s."}});
    assert_eq!(of(200, &overloaded), (Server, Some(2000)));
    // A status in the body counts where the answer has none of its own, and nowhere else.
    assert_eq!(of(200, &json!({"error": {"code": 503, "message": ""}})), without_wait(Server));
    assert_eq!(of(200, &json!({"error": {"code": "429", "message": ""}})), without_wait(RateLimited));
    assert_eq!(of(200, &json!({"error": {"code": 700, "message": ""}})), without_wait(Request));
    assert_eq!(of(400, &json!({"error": {"code": 429, "message": ""}})), without_wait(Request));
    assert_eq!(of(400, &google(429, "RESOURCE_EXHAUSTED", "", &json!([]))), without_wait(Request));
    assert_eq!(of(400, &json!({"error": {"code": "rate_limit_exceeded", "type": null}})), without_wait(Request));
    assert_eq!(of(400, &json!({"type": "error", "error": {"type": "rate_limit_error"}})), without_wait(Request));
    assert_eq!(of(500, &google(429, "RESOURCE_EXHAUSTED", "", &json!([]))), without_wait(Server));
    // `quota_exceeded` is by the day in Google's Interactions API, which has neither of OpenAI's fields.
    for field in ["type", "param"] {
        assert_eq!(of(429, &json!({"error": {"code": "quota_exceeded", field: null}})), without_wait(RateLimited));
    }
}

#[test]
fn a_google_error_inside_a_200_keeps_to_the_same_rules() {
    for (name, message, reason) in [
        ("INVALID_ARGUMENT", "API key not valid. Please", Reason::InvalidKey),
        ("FAILED_PRECONDITION", "User location is not supported", Reason::Host),
        ("PERMISSION_DENIED", "Your API key was reported as leaked", Reason::InvalidKey),
        ("NOT_FOUND", "This model m is no longer available to new users", Reason::Model),
    ] {
        let body = json!({"error": {"status": name, "message": message}});
        assert_eq!(of(200, &body), without_wait(reason), "{name}");
    }
    let body = json!({"error": {"status": "UNAVAILABLE", "message": "Please retry in 2s"}});
    assert_eq!(of(200, &body), (Reason::Server, Some(2000)));
}

#[test]
fn a_body_is_known_as_googles_by_the_codes_it_documents() {
    for code in "invalid_request parameter_unknown authentication permission_denied not_found model_not_found \
                 rate_limit_exceeded quota_exceeded cancelled failed_precondition"
        .split_whitespace()
    {
        let error = HttpError::new(400, json!({"error": {"code": code}}).to_string());
        assert_eq!(error.to_string(), format!("gemini answered 400 {code}"));
    }
    let error = HttpError::new(400, json!({"error": {"code": "DeploymentNotFound", "details": [{}]}}).to_string());
    assert_eq!(error.to_string(), "the server answered 400 DeploymentNotFound");
}
