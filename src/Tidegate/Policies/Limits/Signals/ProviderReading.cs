using Tidegate.Exchanges;

namespace Tidegate.Policies.Limits.Signals;

/// <summary>Everything that one answer says about limits. A value without references: reading one allocates nothing.</summary>
internal struct ProviderReading
{
    public SignalWindows Windows;

    /// <summary>How many of the windows there are.</summary>
    public int Count;

    /// <summary>What the status, with the provider's own error classes, means.</summary>
    public ProviderSignal Kind;

    /// <summary>Whether the answer says how long to stay away.</summary>
    public bool HasRetryAfter;

    /// <summary>How long, when it says so.</summary>
    public TimeSpan RetryAfter;

    /// <summary>A count of the provider's that only some requests share, as a number; 0 when the answer names none.</summary>
    public ulong Bucket;

    /// <summary>The refusal is about everything of this caller, whatever bucket is named.</summary>
    public bool IsGlobal;

    /// <summary>Values that said nothing usable, or more than is believed.</summary>
    public int Ignored;

    /// <summary>The window of that name, made when it is new; -1 when there are too many.</summary>
    internal int WindowOf(ulong name)
    {
        for (var i = 0; i < Count; i++)
        {
            if (Windows[i].Name == name)
            {
                return i;
            }
        }

        if (Count == SignalWindows.MaxCount)
        {
            Ignored++;
            return -1;
        }

        Windows[Count] = SignalWindow.Of(name);
        return Count++;
    }
}
