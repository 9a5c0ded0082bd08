namespace Tidegate.Policies.Limits;

/// <summary>Nothing passes until a time: what a provider's "not before" means for all callers that share its count. <c>Charge</c> sets the time, as ticks from now.</summary>
internal sealed class CoolDown : LimitAlgorithm
{
    // A fresh cell has the time of whoever made it, and who looked at the clock earlier may come later: only a time that was asked for holds anybody up.
    private const long IsAskedFor = 1;

    public override long Take(ref LimitCell cell, long cost, long now) => Left(in cell, now);

    public override void Charge(ref LimitCell cell, long cost, long now)
    {
        // The later of two wins: a provider that says "in a minute" is not overruled by one that said "in a second".
        cell.Time = cell.Level == IsAskedFor ? Math.Max(cell.Time, now + cost) : now + cost;
        cell.Level = IsAskedFor;
        cell.IdleAt = cell.Time;
    }

    public override void Give(ref LimitCell cell, long cost, long takenAt, long now)
    {
        // Passing took nothing.
    }

    public override long Used(ref LimitCell cell, long now) => Left(in cell, now);

    public override long WaitBehind(ref LimitCell cell, long ahead, long cost, long now) => Left(in cell, now);

    private static long Left(in LimitCell cell, long now) => cell.Level == IsAskedFor ? Math.Max(0, cell.Time - now) : 0;
}
