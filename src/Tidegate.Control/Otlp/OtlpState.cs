namespace Tidegate.Control.Otlp;

/// <summary>How exporting goes, for metrics and the admin API.</summary>
internal sealed class OtlpState
{
    private long _spansExported;
    private long _spansDropped;
    private long _spansRefused;

    public OtlpSignal Traces { get; } = new("traces");

    public OtlpSignal Metrics { get; } = new("metrics");

    /// <summary>Spans that the collector took.</summary>
    public long SpansExported => Interlocked.Read(ref _spansExported);

    /// <summary>Spans lost because the collector did not answer for too long.</summary>
    public long SpansDropped => Interlocked.Read(ref _spansDropped);

    /// <summary>Spans that the collector would not take.</summary>
    public long SpansRefused => Interlocked.Read(ref _spansRefused);

    public void AddExported(long spans) => Interlocked.Add(ref _spansExported, spans);

    public void AddDropped(long spans) => Interlocked.Add(ref _spansDropped, spans);

    public void AddRefused(long spans) => Interlocked.Add(ref _spansRefused, spans);
}

/// <summary>One of the two things that are exported.</summary>
internal sealed class OtlpSignal(string name)
{
    private long _succeeded;
    private long _failed;
    private string? _lastError;

    public string Name => name;

    public long Succeeded => Interlocked.Read(ref _succeeded);

    public long Failed => Interlocked.Read(ref _failed);

    /// <summary>Why the last export failed; null when it did not.</summary>
    public string? LastError => Volatile.Read(ref _lastError);

    /// <summary>Notes one export.</summary>
    /// <param name="error">Null when it went well.</param>
    /// <returns>Whether this differs from the export before: only then there is something to tell.</returns>
    public bool Note(string? error)
    {
        Interlocked.Increment(ref error is null ? ref _succeeded : ref _failed);
        return (Interlocked.Exchange(ref _lastError, error) is null) != (error is null);
    }
}
