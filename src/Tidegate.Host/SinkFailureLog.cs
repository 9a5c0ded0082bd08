using Tidegate.Recording;

namespace Tidegate.Host;

/// <summary>Says that a sink loses records, at most once a minute for each sink: a full disk must not fill the log as well. Metrics count every batch.</summary>
internal sealed class SinkFailureLog(Action<string> log, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private readonly Dictionary<string, long> _told = [];

    /// <summary>Called by the recorder's loop, one at a time.</summary>
    public void Add(IExchangeSink sink, Exception failure)
    {
        if (_told.TryGetValue(sink.Name, out var at) && time.GetElapsedTime(at) < Interval)
        {
            return;
        }

        _told[sink.Name] = time.GetTimestamp();
        log($"Records do not reach the sink {sink.Name}: {failure.Message} Counted in tidegate_sink_failures_total; the log repeats it once a minute.");
    }
}
