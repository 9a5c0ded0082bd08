namespace Tidegate.Control.Otlp;

/// <summary>Until when a collector wants to be left alone with one signal.</summary>
internal sealed class CollectorPause(TimeProvider time)
{
    /// <summary>Whoever asks for more is asked after that whether it still does.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    private long _began;
    private TimeSpan _length;

    /// <summary>How much of it is left.</summary>
    public TimeSpan Left => _length - time.GetElapsedTime(_began) is var left && left > TimeSpan.Zero ? left : TimeSpan.Zero;

    /// <summary>It asks for one, from now on. Zero: for none.</summary>
    public void Begin(TimeSpan length)
    {
        _began = time.GetTimestamp();
        _length = length < Longest ? length : Longest;
    }
}
