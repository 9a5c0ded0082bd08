namespace Tidegate.Exchanges;

/// <summary>An attempt that did not do, and what came of it.</summary>
/// <param name="Cause">The failure's code, the answer's status, or <c>hedge</c>: another request was sent beside it because it was slow.</param>
/// <param name="Pause">How long until the next attempt; zero when there was none.</param>
/// <param name="Stopped">Why there was none: <c>attempts</c>, <c>budget</c>, <c>content</c> (larger than is kept), <c>deadline</c>, <c>client</c> or <c>observe</c>; empty when there was one.</param>
public readonly record struct RetryNote(string Cause, TimeSpan Pause, string Stopped)
{
    /// <summary>When it began, from when the request's head was complete.</summary>
    public TimeSpan Began { get; init; }

    /// <summary>How long it took until it was known not to do: its queues of ours, its connection and its answer's head.</summary>
    public TimeSpan Took { get; init; }

    /// <summary>For a hedge: <c>won</c> (its answer was used, and this is about the request before it), <c>lost</c>, <c>failed</c> or <c>refused</c>; else empty.</summary>
    public string Result { get; init; } = "";

    /// <summary>Where it went; empty when it was not sent.</summary>
    public string Destination { get; init; } = "";

    /// <summary>Where that is; empty when nobody said so.</summary>
    public string Region { get; init; } = "";

    /// <summary>Which of several keys it carried; empty when there are not several.</summary>
    public string Credential { get; init; } = "";
}
