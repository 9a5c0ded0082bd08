using System.Text;

namespace Tidegate.Policies.Limits.Shares;

/// <summary>A shared count as one class may take from it.</summary>
internal sealed class ShareClass(SharedCount shared, int index, ShareTerms terms) : LimitAlgorithm
{
    private readonly byte[] _value = Encoding.UTF8.GetBytes(terms.Value);

    public ReadOnlySpan<byte> Value => _value;

    /// <summary>As the configuration names it.</summary>
    public string Name => terms.Value;

    /// <summary>No less than this while it wants it.</summary>
    public required long Guaranteed { get; init; }

    /// <summary>No more than this ever.</summary>
    public required long Max { get; init; }

    /// <summary>Counts what the class has; null for a class of a bucket without a bound of its own.</summary>
    public required LimitAlgorithm? Own { get; init; }

    /// <summary>As <c>explain</c> says it.</summary>
    public string Text => $"{terms.Value}: {Guaranteed} guaranteed{(terms.Max < 1 ? $", at most {Max}" : "")}";

    public override bool IsKept => shared.Whole.IsKept;

    public override string Meaning => shared.Whole.Meaning;

    public override int ShareCount => shared.Classes.Count;

    public override long Take(ref LimitCell cell, long cost, long now) => shared.Take(ref cell, index, cost, now);

    public override void Charge(ref LimitCell cell, long cost, long now) => shared.Charge(ref cell, index, cost, now);

    public override void Give(ref LimitCell cell, long cost, long takenAt, long now) => shared.Give(ref cell, index, cost, takenAt, now);

    public override long Used(ref LimitCell cell, long now) => shared.Used(ref cell, index, now);

    public override long WaitBehind(ref LimitCell cell, long ahead, long cost, long now) => shared.WaitBehind(ref cell, index, ahead, cost, now);

    public override void Save(ref LimitCell cell, long now, long utcTicks, List<SavedRun> runs) => shared.Whole.Save(ref cell, now, utcTicks, runs);

    public override void Load(ref LimitCell cell, long now, long utcTicks, IReadOnlyList<SavedRun> runs) => shared.Whole.Load(ref cell, now, utcTicks, runs);

    // By its value, so that a class is the same in another configuration, wherever it stands there.
    public override UInt128 ShareKey(UInt128 key, int share) => SipHash.Compute(key, shared.Classes[share].Value);

    public override void SaveShare(ref LimitCell cell, int share, long now, long utcTicks, List<SavedRun> runs) => shared.Save(ref cell, share, now, utcTicks, runs);

    public override void LoadShare(ref LimitCell cell, int share, long now, long utcTicks, IReadOnlyList<SavedRun> runs) => shared.Load(ref cell, share, now, utcTicks, runs);
}
