namespace Tidegate.Host.Demo.Callers;

/// <summary>How a call reaches the gateway.</summary>
internal enum CallRoute
{
    /// <summary>Egress, as <c>http://gateway/api/...</c>; the target is a path.</summary>
    BaseUrl,

    /// <summary>Egress, with the gateway as HTTP proxy; the target is an http URL.</summary>
    Proxy,

    /// <summary>Egress, CONNECT through the gateway, which opens the tunnel; the target is an https URL.</summary>
    Intercepted,

    /// <summary>Ingress; the target is a path.</summary>
    Ingress,
}

/// <summary>One call that somebody is going to make.</summary>
internal sealed record DemoCall(string Caller, CallRoute Route, string Method, string Target)
{
    /// <summary>What it shows to the gateway; empty for nobody.</summary>
    public string Key { get; init; } = DemoKeys.Consumer(Caller);

    /// <summary>JSON.</summary>
    public string? Content { get; init; }

    /// <summary>A field with the signature of the content; null for none.</summary>
    public (string Name, string Value)? Signature { get; init; }

    /// <summary>Whether the caller remembers ETags and asks again with If-None-Match.</summary>
    public bool Remembers { get; init; }

    /// <summary>Whether it tries once more, after the time that Retry-After says, when it gets 429 or 503.</summary>
    public bool Retries { get; init; }

    /// <summary>When it gives up and closes.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(15);
}
