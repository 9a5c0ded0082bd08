namespace Tidegate.Policies.Limits;

/// <summary>So many at once. Room comes when somebody gives back, and nobody knows when that is.</summary>
internal sealed class ConcurrencyLimit(long amount) : LimitAlgorithm
{
    public override long Take(ref LimitCell cell, long cost, long now)
    {
        if (cost > amount)
        {
            return Never;
        }

        if (cell.Level + cost > amount)
        {
            return UntilReleased;
        }

        Charge(ref cell, cost, now);
        return 0;
    }

    public override void Charge(ref LimitCell cell, long cost, long now)
    {
        cell.Level += cost;
        cell.IdleAt = long.MaxValue;
    }

    public override void Give(ref LimitCell cell, long cost, long takenAt, long now)
    {
        cell.Level = Math.Max(0, cell.Level - cost);
        cell.IdleAt = cell.Level == 0 ? now : long.MaxValue;
    }

    public override long Used(ref LimitCell cell, long now) => cell.Level;

    public override long WaitBehind(ref LimitCell cell, long ahead, long cost, long now) => cost > amount ? Never : cell.Level + ahead + cost > amount ? UntilReleased : 0;
}
