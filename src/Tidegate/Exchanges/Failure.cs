namespace Tidegate.Exchanges;

/// <summary>On whose side an exchange broke.</summary>
public enum FailureSource
{
    /// <summary>The client sent a broken body, was too slow, or hung up.</summary>
    Client,

    /// <summary>A fault or a limit of Tidegate itself.</summary>
    Gateway,

    /// <summary>The destination could not be reached, was too slow, or answered nonsense.</summary>
    Upstream,
}

/// <summary>An exchange that was admitted and then broke.</summary>
/// <param name="Source">On whose side.</param>
/// <param name="Kind">What happened.</param>
/// <param name="Retryable">Whether another attempt could succeed without risk of doing the work twice.</param>
/// <param name="Detail">One sentence for the caller. Never contains a secret, an address of ours or a stack trace.</param>
public sealed record Failure(FailureSource Source, FailureKind Kind, bool Retryable, string Detail)
{
    /// <summary>The stable code in problem replies, records and metrics, for example <c>connect_timeout</c>.</summary>
    public string Code => Kind.Code;

    /// <summary>The HTTP status that the client receives while the response has not started.</summary>
    public int Status => Kind.Status;
}
