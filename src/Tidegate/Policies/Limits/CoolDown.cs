namespace Tidegate.Policies.Limits;

/// <summary>Nothing passes until a time: what a provider's "not before" means for all callers that share its count. <c>Charge</c> sets the time, as ticks from now.</summary>
internal sealed class CoolDown : LimitAlgorithm
{
    public override long Take(ref LimitCell cell, long cost, long now) => Math.Max(0, cell.Time - now);

    public override void Charge(ref LimitCell cell, long cost, long now)
    {
        // The later of two wins: a provider that says "in a minute" is not overruled by one that said "in a second".
        cell.Time = Math.Max(cell.Time, now + cost);
        cell.IdleAt = cell.Time;
    }

    public override void Give(ref LimitCell cell, long cost, long takenAt, long now)
    {
        // Passing took nothing.
    }

    public override long Used(ref LimitCell cell, long now) => Math.Max(0, cell.Time - now);

    public override long WaitBehind(ref LimitCell cell, long ahead, long cost, long now) => Take(ref cell, cost, now);
}
