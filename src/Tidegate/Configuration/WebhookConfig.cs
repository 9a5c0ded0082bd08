using Tidegate.Policies.Webhook;

namespace Tidegate.Configuration;

internal sealed record WebhookConfig
{
    [Doc("How the provider signs: stripe, github, standard (the webhook-* fields of standardwebhooks.com), hmac_hex or hmac_base64 (HMAC-SHA256 of the content in the field that header names).")]
    public required WebhookSignature Signature { get; init; }

    [Doc("The provider's signing key for this endpoint, for example ${secret:stripe_webhook}.")]
    public required Secret Secret { get; init; }

    [Doc("The key before it, while it is being changed. Default: none.")]
    public Secret? OldSecret { get; init; }

    [Doc("The field that has the signature. Default: the provider's own; hmac_hex and hmac_base64 need it.")]
    public string? Header { get; init; }

    [Doc("What stands before the signature in the field, for example sha256=. Only for hmac_hex and hmac_base64. Default: nothing.")]
    public string? Prefix { get; init; }

    [Doc("How old a signed time may be, and how long a signature is remembered so that it is taken once. Default: 5m, as the providers' own libraries have it.")]
    public TimeSpan? Tolerance { get; init; }

    [Doc("A verified one that has come before: refuse (409) or allow (it passes again: for hmac_hex and hmac_base64, whose signed text has no time, when different events may have the same content). Default: refuse.")]
    public WebhookReplay Replay { get; init; }

    [Doc("The largest content; it is held until it is verified. Default: 1MB, because events are a few KB; at most 25MB."), Size]
    public long? MaxContent { get; init; }

    [Doc("Which stored answers are no longer true when a verified one comes.")]
    public IReadOnlyList<WebhookPurgeConfig> Purges { get; init; } = [];
}

/// <summary>What happens to a webhook that has come before.</summary>
internal enum WebhookReplay
{
    Refuse,
    Allow,
}

internal sealed record WebhookPurgeConfig
{
    [Doc("Whose answers. Without tags, urls and prefixes: all of them.")]
    public required string Api { get; init; }

    [Doc("Those with such a Surrogate-Key or Cache-Tag. A JSON pointer in braces stands for what the webhook says there, for example product-{/data/object/id}.")]
    public IReadOnlyList<string> Tags { get; init; } = [];

    [Doc("Those of such a URL, for example https://api.stripe.com/v1/products/{/data/object/id}.")]
    public IReadOnlyList<string> Urls { get; init; } = [];

    [Doc("Those of every URL that begins so.")]
    public IReadOnlyList<string> Prefixes { get; init; } = [];

    [Doc("They become stale instead of gone: they can still be validated, and stand in for errors. Default: false.")]
    public bool Soft { get; init; }
}
