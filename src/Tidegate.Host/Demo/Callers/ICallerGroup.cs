namespace Tidegate.Host.Demo.Callers;

/// <summary>Callers with one rhythm.</summary>
internal interface ICallerGroup
{
    /// <summary>Calls each second over the morning.</summary>
    Rhythm CallsPerSecond { get; }

    /// <summary>The next call. The same chance gives the same call.</summary>
    DemoCall Next(DemoRandom random, TimeOnly clock);
}
