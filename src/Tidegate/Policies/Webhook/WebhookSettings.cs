namespace Tidegate.Policies.Webhook;

/// <summary>How a provider signs. All of them use HMAC-SHA256.</summary>
internal enum WebhookSignature
{
    /// <summary><c>Stripe-Signature: t=SECONDS,v1=HEX</c>, over the time, a dot and the content.</summary>
    Stripe,

    /// <summary><c>X-Hub-Signature-256: sha256=HEX</c>, over the content.</summary>
    Github,

    /// <summary><c>webhook-id</c>, <c>webhook-timestamp</c> and <c>webhook-signature: v1,BASE64</c>, over all three with dots between them (standardwebhooks.com).</summary>
    Standard,

    /// <summary>Hexadecimal in a field of its own, over the content.</summary>
    HmacHex,

    /// <summary>The same as base64.</summary>
    HmacBase64,
}

/// <summary>How a route's webhooks are verified. Made by the compiler.</summary>
internal sealed record WebhookSettings
{
    /// <summary>Five minutes, as the providers' own libraries have it: clocks differ, and queues are slow.</summary>
    public static readonly TimeSpan DefaultTolerance = TimeSpan.FromMinutes(5);

    /// <summary>1 MB: events are a few KB. It is held until it is verified.</summary>
    public const long DefaultMaxContentBytes = 1 << 20;

    /// <summary>25 MB, which is the most that any provider sends (GitHub).</summary>
    public const long LargestContentBytes = 25 << 20;

    /// <summary>The API and the endpoint: what one of them has taken, another may still get.</summary>
    public string Scope { get; init; } = "";

    public required WebhookSignature Signature { get; init; }

    /// <summary>The field that has the signature.</summary>
    public required string Header { get; init; }

    /// <summary>What stands before the signature.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>The provider's key, and the one before it while it is being changed.</summary>
    public required IReadOnlyList<byte[]> Keys { get; init; }

    /// <summary>A field that tells one delivery from another of the same content, where the signed text has no time; null where there is none.</summary>
    public string? DeliveryHeader { get; init; }

    /// <summary>What comes a second time passes too.</summary>
    public bool AllowsReplays { get; init; }

    /// <summary>How old a signed time may be, and how long a signature is remembered.</summary>
    public TimeSpan Tolerance { get; init; } = DefaultTolerance;

    public long MaxContentBytes { get; init; } = DefaultMaxContentBytes;
}
