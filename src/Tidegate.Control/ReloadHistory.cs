using Tidegate.Configuration;

namespace Tidegate.Control;

/// <summary>What became of the attempts to put another configuration in force.</summary>
internal sealed class ReloadHistory(TimeProvider time)
{
    // As far back as somebody who edits the file wants to look.
    private const int Kept = 20;

    private readonly Lock _gate = new();
    private readonly Queue<ReloadResult> _recent = new();
    private ReloadResult? _last;
    private long _succeeded;
    private long _failed;
    private long _inForceSinceTicks = time.GetUtcNow().UtcTicks;

    /// <summary>The last attempt; null while there was none.</summary>
    public ReloadResult? Last => Volatile.Read(ref _last);

    /// <summary>The last few attempts, the newest first.</summary>
    public IReadOnlyList<ReloadResult> Recent
    {
        get
        {
            lock (_gate)
            {
                return [.. _recent.Reverse()];
            }
        }
    }

    /// <summary>Attempts that put another configuration in force.</summary>
    public long Succeeded => Interlocked.Read(ref _succeeded);

    /// <summary>Attempts that left the old one.</summary>
    public long Failed => Interlocked.Read(ref _failed);

    /// <summary>When what is in force came into force.</summary>
    public DateTimeOffset InForceSince => new(Interlocked.Read(ref _inForceSinceTicks), TimeSpan.Zero);

    /// <summary>Notes one attempt.</summary>
    /// <param name="isInForce">Whether the new configuration is in force now.</param>
    /// <param name="problems">Everything found; with errors only when it is not in force.</param>
    /// <param name="failure">What went wrong beyond the file's problems.</param>
    public ReloadResult Add(bool isInForce, IReadOnlyList<ConfigProblem> problems, string? failure = null)
    {
        var result = new ReloadResult(time.GetUtcNow(), isInForce, problems, failure);
        lock (_gate)
        {
            _last = result;
            _recent.Enqueue(result);
            if (_recent.Count > Kept)
            {
                _recent.Dequeue();
            }

            if (isInForce)
            {
                _succeeded++;
                _inForceSinceTicks = result.Time.UtcTicks;
            }
            else
            {
                _failed++;
            }
        }

        return result;
    }
}

/// <summary>One attempt to put another configuration in force.</summary>
internal sealed record ReloadResult(DateTimeOffset Time, bool IsInForce, IReadOnlyList<ConfigProblem> Problems, string? Failure);
