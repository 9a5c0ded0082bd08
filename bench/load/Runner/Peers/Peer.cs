namespace Tidegate.Load.Peers;

/// <summary>A proxy that can stand in the middle.</summary>
internal abstract class Peer
{
    /// <summary>As the tables name it.</summary>
    public abstract string Name { get; }

    /// <summary>What to say when it is missing, for example the Debian package.</summary>
    public abstract string Package { get; }

    /// <summary>Seconds of traffic before anything counts: a JIT needs more of them.</summary>
    public virtual double WarmUpSeconds => 1;

    /// <summary>Null when it is not installed.</summary>
    public abstract string? Version();

    public abstract bool Can(PeerSetup setup);

    public abstract PeerCommand Start(PeerSetup setup, PeerPlace place);
}
