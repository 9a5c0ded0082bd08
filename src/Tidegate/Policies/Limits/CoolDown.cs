namespace Tidegate.Policies.Limits;

/// <summary>Nothing passes until a time: what a provider's "not before" means for all callers that share its count. <c>Charge</c> sets the time, as ticks from now.</summary>
internal sealed class CoolDown(double ticksPerUtcTick = 100) : LimitAlgorithm
{
    // A fresh cell has the time of whoever made it, and who looked at the clock earlier may come later: only a time that was asked for holds anybody up.
    private const long IsAskedFor = 1;

    // What is over in a minute is asked again after a restart: that is one call.
    private static readonly long WorthSaving = TimeSpan.FromMinutes(1).Ticks;

    // As no answer stops traffic for longer at once, no file does.
    private static readonly long Longest = TimeSpan.FromDays(1).Ticks;

    public override bool IsKept => true;

    public override void Save(ref LimitCell cell, long now, long utcTicks, List<SavedRun> runs)
    {
        var rest = (long)(Left(in cell, now) / ticksPerUtcTick);
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
