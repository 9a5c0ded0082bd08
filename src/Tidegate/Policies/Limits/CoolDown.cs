namespace Tidegate.Policies.Limits;

/// <summary>Nothing passes until a time: what a provider's "not before" means for all callers that share its count. <c>Charge</c> sets the time, as ticks from now.</summary>
internal sealed class CoolDown(double ticksPerUtcTick = 100) : LimitAlgorithm
{
    // What is over in a minute is asked again after a restart: that is one call.
    private static readonly long WorthSaving = TimeSpan.FromMinutes(1).Ticks;

    // As no answer stops traffic for longer at once, no file does.
    private static readonly long Longest = TimeSpan.FromDays(1).Ticks;

    public override bool IsKept => true;

    public override void Save(ref LimitCell cell, long now, long utcTicks, List<SavedRun> runs)
    {
        var rest = (long)(Math.Max(0, cell.Time - now) / ticksPerUtcTick);
        if (rest > WorthSaving)
        {
            runs.Add(new SavedRun(utcTicks + rest, 1));
        }
    }

    public override void Load(ref LimitCell cell, long now, long utcTicks, IReadOnlyList<SavedRun> runs)
    {
        foreach (var run in runs)
        {
            Charge(ref cell, (long)(Math.Clamp(run.UtcTicks - utcTicks, 0, Longest) * ticksPerUtcTick), now);
        }
    }

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
