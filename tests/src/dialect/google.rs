//! How the Gemini API speaks: successes and errors as they were seen in the field.

use std::time::Duration;

use serde_json::{Value, json};

use super::Reply;
use crate::quota::{Exceeded, Window};
use crate::state::Problem;

pub(crate) const MODELS: [&str; 2] = ["gemini-2.5-flash", "gemini-2.5-pro"];

const SERVICE: &str = "generativelanguage.googleapis.com";

fn error(code: u16, status: &str, message: &str) -> Reply {
    Reply::new(code, json!({ "error": { "code": code, "message": message, "status": status } }))
}

fn detailed(code: u16, status: &str, message: &str, details: &Value) -> Reply {
    Reply::new(code, json!({ "error": { "code": code, "message": message, "status": status, "details": details } }))
}

fn error_info(reason: &str, metadata: &Value) -> Value {
    json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": metadata,
    })
}

pub(super) fn refusal(problem: &Problem) -> Reply {
    match problem {
        Problem::KeyMissing => key_missing(),
        Problem::KeyUnknown => key_unknown(),
        Problem::KeyRevoked => key_revoked(),
        Problem::KeyLeaked => key_leaked(),
        Problem::KeySuspended(key) => key_suspended(key),
        Problem::ServiceDisabled => service_disabled(),
        Problem::OutOfCredit => out_of_credit(),
        Problem::QuotaExceeded { model, exceeded } => quota_exceeded(model, *exceeded),
        Problem::Overloaded => overloaded(),
        Problem::Malformed(description) => malformed(description),
        Problem::NoSuchModel(model) => not_found(model),
    }
}

/// The text of the first part of the first content.
pub(super) fn prompt(body: &Value) -> Result<String, String> {
    let known = ["contents", "generationConfig", "safetySettings", "systemInstruction"];
    let unknown = body.as_object().and_then(|fields| fields.keys().find(|name| !known.contains(&name.as_str())));
    if let Some(unknown) = unknown {
        return Err(format!("Unknown name \"{unknown}\": Cannot find field."));
    }
    let text = body["contents"][0]["parts"][0]["text"].as_str();
    text.map(str::to_owned).ok_or_else(|| "Invalid value at 'contents[0]'.".to_owned())
}

pub(super) fn answer(model: &str, prompt: &str) -> Value {
    let text = format!("You said: {prompt}");
    let tokens = |text: &str| text.split_whitespace().count();
    json!({
        "candidates": [{
            "content": { "parts": [{ "text": text }], "role": "model" },
            "finishReason": "STOP",
            "index": 0,
        }],
        "usageMetadata": {
            "promptTokenCount": tokens(prompt),
            "candidatesTokenCount": tokens(&text),
            "totalTokenCount": tokens(prompt) + tokens(&text),
        },
        "modelVersion": model,
    })
}

pub(crate) fn models(names: &[&str]) -> Value {
    let models: Vec<Value> = names
        .iter()
        .map(|name| json!({ "name": format!("models/{name}"), "supportedGenerationMethods": ["generateContent"] }))
        .collect();
    json!({ "models": models })
}

fn key_missing() -> Reply {
    let message = "Method doesn't allow unregistered callers (callers without established identity). \
                   Please use API Key or other form of API consumer identity to call this API.";
    error(403, "PERMISSION_DENIED", message)
}

fn key_unknown() -> Reply {
    invalid_key("API Key not found. Please pass a valid API key.")
}

fn key_revoked() -> Reply {
    invalid_key("API key not valid. Please pass a valid API key.")
}

fn invalid_key(message: &str) -> Reply {
    let details = json!([
        error_info("API_KEY_INVALID", &json!({ "service": SERVICE })),
        { "@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": message },
    ]);
    detailed(400, "INVALID_ARGUMENT", message, &details)
}

fn key_leaked() -> Reply {
    let message = "Your API key was reported as leaked. Please use another API key.";
    error(403, "PERMISSION_DENIED", message)
}

/// Google echoes the whole key here.
fn key_suspended(key: &str) -> Reply {
    let message = format!("Permission denied: Consumer 'api_key:{key}' has been suspended.");
    let metadata = json!({
        "service": SERVICE,
        "consumer": "projects/000000000000",
        "containerInfo": format!("api_key:{key}"),
    });
    detailed(403, "PERMISSION_DENIED", &message, &json!([error_info("CONSUMER_SUSPENDED", &metadata)]))
}

fn service_disabled() -> Reply {
    let message = "Generative Language API has not been used in project 000000000000 before or it is disabled.";
    let metadata = json!({ "service": SERVICE, "consumer": "projects/000000000000" });
    detailed(403, "PERMISSION_DENIED", message, &json!([error_info("SERVICE_DISABLED", &metadata)]))
}

fn out_of_credit() -> Reply {
    let message = "This API method requires billing to be enabled. Please enable billing on project #000000000000.";
    let metadata = json!({ "service": SERVICE, "consumer": "projects/000000000000" });
    detailed(403, "PERMISSION_DENIED", message, &json!([error_info("BILLING_DISABLED", &metadata)]))
}

fn quota_exceeded(model: &str, exceeded: Exceeded) -> Reply {
    let Exceeded { window, limit, retry_delay } = exceeded;
    let metric = format!("{SERVICE}/generate_content_free_tier_requests");
    let quota_id = match window {
        Window::Minute => "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
        Window::Day => "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
    };
    let message = format!(
        "You exceeded your current quota, please check your plan and billing details. \n* Quota exceeded for \
         metric: {metric}, limit: {limit}, model: {model}\nPlease retry in {}s.",
        retry_delay.as_secs_f64()
    );
    let details = json!([
        {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{
                "quotaMetric": metric,
                "quotaId": quota_id,
                "quotaDimensions": { "location": "global", "model": model },
                "quotaValue": limit.to_string(),
            }],
        },
        {
            "@type": "type.googleapis.com/google.rpc.Help",
            "links": [{
                "description": "Learn more about Gemini API quotas",
                "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
            }],
        },
        { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": seconds(retry_delay) },
    ]);
    detailed(429, "RESOURCE_EXHAUSTED", &message, &details)
}

/// A protobuf `Duration` in JSON: seconds with up to nine digits after the point.
fn seconds(duration: Duration) -> String {
    format!("{}.{:09}s", duration.as_secs(), duration.subsec_nanos())
}

fn overloaded() -> Reply {
    error(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")
}

fn malformed(description: &str) -> Reply {
    let details = json!([{
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{ "description": description }],
    }]);
    detailed(400, "INVALID_ARGUMENT", &format!("Invalid JSON payload received. {description}"), &details)
}

pub(crate) fn not_found(model: &str) -> Reply {
    let message =
        format!("models/{model} is not found for API version v1beta, or is not supported for generateContent.");
    error(404, "NOT_FOUND", &message)
}
