namespace Tidegate.Control.Otlp;

/// <summary>How exporting goes, for metrics and the admin API.</summary>
internal sealed class OtlpState
{
    public OtlpSignal Traces { get; } = new("traces");

    public OtlpSignal Metrics { get; } = new("metrics");

    public OtlpSignal Logs { get; } = new("logs");

    /// <summary>All of them.</summary>
    public IReadOnlyList<OtlpSignal> Signals => [Traces, Metrics, Logs];
}

/// <summary>One of the things that are exported.</summary>
internal sealed class OtlpSignal(string name)
{
    private long _succeeded;
    private long _failed;
    private long _itemsExported;
    private long _itemsDropped;
    private long _itemsRefused;
    private string? _lastError;

    public string Name => name;

    public long Succeeded => Interlocked.Read(ref _succeeded);

    public long Failed => Interlocked.Read(ref _failed);

    /// <summary>Spans or log records that the collector took.</summary>
    public long ItemsExported => Interlocked.Read(ref _itemsExported);

    /// <summary>Those lost because the collector did not answer for too long.</summary>
    public long ItemsDropped => Interlocked.Read(ref _itemsDropped);

    /// <summary>Those that the collector would not take.</summary>
    public long ItemsRefused => Interlocked.Read(ref _itemsRefused);

    /// <summary>Why the last export failed; null when it did not.</summary>
    public string? LastError => Volatile.Read(ref _lastError);

    public void AddExported(long items) => Interlocked.Add(ref _itemsExported, items);

    public void AddDropped(long items) => Interlocked.Add(ref _itemsDropped, items);

    public void AddRefused(long items) => Interlocked.Add(ref _itemsRefused, items);

    /// <summary>Notes one export.</summary>
    /// <param name="error">Null when it went well.</param>
    /// <returns>Whether this differs from the export before: only then there is something to tell.</returns>
    public bool Note(string? error)
    {
        Interlocked.Increment(ref error is null ? ref _succeeded : ref _failed);
        return (Interlocked.Exchange(ref _lastError, error) is null) != (error is null);
    }
}
