using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Tidegate.Policies.Limits.Signals;

namespace Tidegate.Policies.Limits.Learning;

/// <summary>
/// What is known of one count of a provider's: of all callers of an API, of one credential, or of one of the provider's buckets. A cool-down and up to eight
/// windows, as limits that every exchange of the scope takes from beside the configured ones. Limits are only ever added.
/// </summary>
internal sealed class LearnedScope
{
    private readonly Lock _gate = new();
    private readonly LimitStore _store;
    private readonly UInt128 _key;
    private readonly LimitAlgorithm[] _algorithms = new LimitAlgorithm[SignalWindows.MaxCount + 1];
    private readonly ulong[] _names = new ulong[SignalWindows.MaxCount + 1];
    private Limit[] _limits;
    private LearningSettings _settings;
    private int _count = 1;
    // Those whose windows fields tell of, and for each window that content tells of its own: they take from that alone.
    private readonly ConcurrentDictionary<WindowContent, StrongBox<long>> _inFlightByContent = new();
    private long _inFlightByFields;
    private long _coolUntil = long.MinValue;
    private int _refusals;

    /// <param name="store">Where its counts are.</param>
    /// <param name="key">Of its counts.</param>
    /// <param name="settings">What holds for it.</param>
    /// <param name="label">Which of several it is, for people; empty when there is one for all.</param>
    public LearnedScope(LimitStore store, UInt128 key, LearningSettings settings, string label = "")
    {
        Label = label;
        _store = store;
        _key = key;
        _settings = settings;
        _algorithms[0] = new CoolDown((double)store.Time.TimestampFrequency / TimeSpan.TicksPerSecond);
        _limits = [Make(0)];

        // One that an earlier process began goes on.
        var now = store.Time.GetTimestamp();
        var rest = store.Cells.Take(_algorithms[0], KeyOf(0), 1, now);
        _coolUntil = rest > 0 ? now + rest : long.MinValue;
    }

    /// <summary>Which of several it is, for people. Never a secret.</summary>
    public string Label { get; }

    /// <summary>When the cool-down ends, as a timestamp; in the past when there is none.</summary>
    public long CoolUntil => Volatile.Read(ref _coolUntil);

    /// <summary>Nothing is known that still holds, and nobody is about to learn something.</summary>
    public bool IsIdle(long now)
    {
        if (Interlocked.Read(ref _inFlightByFields) > 0 || CoolUntil > now)
        {
            return false;
        }

        foreach (var (_, inFlight) in _inFlightByContent)
        {
            if (Interlocked.Read(ref inFlight.Value) > 0)
            {
                return false;
            }
        }

        for (var i = 1; i < Count; i++)
        {
            if (Window(i).Remaining(now) != SignalWindow.Unknown)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The cool-down and the windows known so far.</summary>
    /// <param name="settings">What holds now: after a reload the same counts are limits of other settings.</param>
    public Limit[] Limits(LearningSettings settings)
    {
        if (!ReferenceEquals(Volatile.Read(ref _settings), settings))
        {
            lock (_gate)
            {
                _settings = settings;
                var limits = new Limit[_count];
                for (var i = 0; i < limits.Length; i++)
                {
                    limits[i] = Make(i);
                }

                Volatile.Write(ref _limits, limits);
            }
        }

        return Volatile.Read(ref _limits);
    }

    /// <summary>An exchange of this scope passes.</summary>
    /// <param name="content">What its answer's content tells of; null where fields do.</param>
    public void Passed(WindowContent? content) => Interlocked.Increment(ref InFlight(content));

    /// <summary>It was answered, or never will be.</summary>
    public void Ended(WindowContent? content) => Interlocked.Decrement(ref InFlight(content));

    /// <summary>The index of the window of that name among the limits, made when it is new; -1 when there are too many.</summary>
    /// <param name="name">Which.</param>
    /// <param name="content">Where content tells of it; null where fields do.</param>
    public int WindowOf(ulong name, WindowContent? content = null)
    {
        for (var i = 1; i < Volatile.Read(ref _count); i++)
        {
            if (_names[i] == name)
            {
                return i;
            }
        }

        lock (_gate)
        {
            var index = Array.IndexOf(_names, name, 1, _count - 1);
            if (index < 0 && _count <= SignalWindows.MaxCount)
            {
                index = _count;
                _names[index] = name;
                _algorithms[index] = new LearnedWindow(_store.Time.TimestampFrequency, content).Following(Interlocked.Read(ref InFlight(content)));
                Volatile.Write(ref _limits, [.. _limits, Make(index)]);
                Volatile.Write(ref _count, index + 1);
            }

            return index;
        }
    }

    /// <summary>The cool-down and the windows known so far.</summary>
    public int Count => Volatile.Read(ref _count);

    public ulong NameOf(int index) => _names[index];

    public LearnedWindow Window(int index) => (LearnedWindow)_algorithms[index];

    /// <summary>What is known of its windows.</summary>
    public IEnumerable<(WindowSource Source, WindowState State)> Known(long now)
    {
        var dialect = Volatile.Read(ref _settings).Dialect;
        for (var i = 1; i < Count; i++)
        {
            if (Window(i).StateAt(now) is { } state)
            {
                yield return (dialect.SourceOf(_names[i]), state);
            }
        }
    }

    /// <summary>Nothing passes for a while.</summary>
    public void Cool(TimeSpan wait, long now)
    {
        var ticks = (long)Math.Ceiling(wait.TotalSeconds * _store.Time.TimestampFrequency);
        _store.Cells.Charge(_algorithms[0], KeyOf(0), ticks, now);
        lock (_gate)
        {
            _coolUntil = Math.Max(_coolUntil, now + ticks);
        }
    }

    /// <summary>How long to stay away when a refusal does not say: longer each time in a row. Refusals of the same moment count once.</summary>
    public TimeSpan NextBackoff(TimeSpan first, TimeSpan longest, long now)
    {
        lock (_gate)
        {
            _refusals += now >= _coolUntil && _refusals < 30 ? 1 : 0;
            return TimeSpan.FromTicks(Math.Min(longest.Ticks, first.Ticks << Math.Clamp(_refusals - 1, 0, 20)));
        }
    }

    /// <summary>The provider serves again.</summary>
    public void Succeeded() => Volatile.Write(ref _refusals, 0);

    private Limit Make(int index)
    {
        var settings = new LimitSettings
        {
            Name = index == 0 ? "cool_down" : "provider",
            Kind = index == 0 ? LimitKind.CoolDown : LimitKind.Learned,
            Amount = 1,
            WhenExceeded = _settings.WhenExceeded,
            MaxWait = _settings.MaxWait,
            Mode = _settings.Mode,
            Text = index == 0 ? "after a refusal of the provider" : "as the provider says",
        };
        return new Limit(settings, KeyOf(index), _algorithms[index]);
    }

    // The index apart from the key's other bits, which are those of a keyed hash.
    private UInt128 KeyOf(int index) => _key ^ (UInt128)(uint)index << 64;

    private ref long InFlight(WindowContent? content)
    {
        if (content is null)
        {
            return ref _inFlightByFields;
        }

        return ref _inFlightByContent.GetOrAdd(content, static _ => new StrongBox<long>()).Value;
    }
}
