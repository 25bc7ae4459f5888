/*
 * A guest that says for itself whether a migration hurt it. It is a multiboot kernel of under 2 KiB
 * that boots in well under a second, sleeps between ticks, and does three things on each one:
 *
 *   - prints its number on COM1, so that a number skipped or repeated shows in the two consoles
 *   - rewrites `dirty` pages of `ram` MiB, so that the copy has something to chase
 *   - checks `check` other pages, so that memory lost or taken from an older copy shows
 *
 * Every page of that memory is a xorshift sequence seeded by its number and its generation: it does
 * not compress, no two pages are alike, and an older copy of a page is told from the right one.
 *
 * What it prints, one line each, numbers of eight digits:
 *
 *   boot hz=… ram=…      once, when the memory is filled: the options in force. Twice: it was reset.
 *   t 00000123           tick 123
 *   v 00000004           all memory was checked for the fourth time since `boot`
 *   bad 12345678         memory at this hexadecimal address is not what was written there
 *   off                  it powers itself down: told so by `off=`, or by the power button
 *   crash                it brings itself down by a triple fault, told so by `crash=`
 *   fault                the processor raised an exception: it was broken by somebody, and hangs
 *
 * Options on the kernel command line, decimal, with their defaults in `options` below:
 *
 *   hz     ticks per second, 19 to 1000 (what the timer chip can do)
 *   ram    MiB to fill, check and rewrite, from 2 MiB upwards
 *   dirty  pages rewritten per tick
 *   check  pages checked per tick
 *   off    tick at which it powers itself down; 0: never
 *   crash  tick at which it crashes; 0: never
 */
        .code32
        .text
        .globl  entry

        .set    COM1, 0x3f8
        .set    PM1_EVENT, 0x600        /* SeaBIOS puts it there on pc and q35 */
        .set    PM1_CONTROL, 0x604
        .set    POWER_BUTTON, 0x100
        .set    SLEEP_S5, 0x2000        /* SLP_EN, and SLP_TYP 0: QEMU's soft off */
        .set    MEMORY, 0x200000        /* first byte of the memory that is checked */
        .set    PIT_HZ, 1193182
        .set    IRQ0, 0x20
        .set    MAGIC, 0x1badb002
        .set    FLAGS, 0x00010000       /* the addresses below are valid: no ELF needed */

header: .long   MAGIC, FLAGS, -(MAGIC + FLAGS)
        .long   header, header, 0, bss_end, entry

entry:  cld
        mov     $stack_end, %esp
        lgdt    gdt_pointer
        ljmp    $8, $1f
1:      mov     $16, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        mov     8(%ebx), %ebp           /* KiB above 1 MiB, as the loader says */
        mov     16(%ebx), %esi          /* command line; its first word is the kernel's own path */
        call    read_options
        call    announce
        call    fill_memory
        call    start_timer
        mov     $PM1_EVENT + 2, %edx    /* the power button shall be seen in the status register */
        mov     $POWER_BUTTON, %eax
        outw    %ax, %dx

tick:   sti
        hlt                             /* until the timer says so; nothing else is let through */
        cli
        cmpl    $0, due
        je      tick
        movl    $0, due
        incl    ticks
        mov     $tick_text, %esi
        call    print
        mov     ticks, %eax
        call    print_number
        call    dirty_pages
        call    check_pages
        mov     ticks, %eax
        cmp     off, %eax
        je      power_off
        cmp     crash, %eax
        je      triple_fault
        mov     $PM1_EVENT, %edx
        inw     %dx, %ax
        testl   $POWER_BUTTON, %eax
        jz      tick

power_off:
        mov     $off_text, %esi
        call    print
        mov     $PM1_CONTROL, %edx
        mov     $SLEEP_S5, %eax
        outw    %ax, %dx
1:      cli
        hlt
        jmp     1b

triple_fault:
        mov     $crash_text, %esi
        call    print
        lidt    no_idt_pointer          /* no handler for the breakpoint, nor for what that raises */
        int3

/* --- options -------------------------------------------------------------------------------- */

/* Reads `name=number` words at %esi; others are passed over, the kernel's path among them. */
read_options:
        lodsb
        test    %al, %al
        jz      9f
        cmp     $' ', %al
        je      read_options
        dec     %esi
        mov     $options, %edi
1:      mov     (%edi), %edx            /* its name, with the equals sign */
        test    %edx, %edx
        jz      6f
        mov     %esi, %ebx
2:      mov     (%edx), %al
        test    %al, %al
        jz      4f                      /* the whole name was there: a number follows */
        cmp     (%ebx), %al
        jne     3f
        inc     %edx
        inc     %ebx
        jmp     2b
3:      add     $8, %edi
        jmp     1b
4:      mov     %ebx, %esi
        xor     %ecx, %ecx
5:      movzbl  (%esi), %eax
        sub     $'0', %eax
        cmp     $9, %eax
        ja      8f
        imul    $10, %ecx
        add     %eax, %ecx
        inc     %esi
        jmp     5b
8:      mov     4(%edi), %eax
        mov     %ecx, (%eax)
6:      lodsb                           /* to the end of the word */
        test    %al, %al
        jz      9f
        cmp     $' ', %al
        jne     6b
        jmp     read_options
9:      ret

/* Prints the options in force, and refuses more memory than there is (%ebp KiB above 1 MiB). */
announce:
        mov     ram, %eax
        inc     %eax                    /* MEMORY begins 1 MiB above 1 MiB */
        shl     $10, %eax
        cmp     %ebp, %eax
        ja      1f
        mov     $boot_text, %esi
        call    print
        mov     $options, %edi
2:      mov     (%edi), %esi
        test    %esi, %esi
        jz      3f
        mov     $' ', %al
        call    print_byte
        call    print
        mov     4(%edi), %eax
        mov     (%eax), %eax
        call    print_digits
        add     $8, %edi
        jmp     2b
3:      mov     $'\n', %al
        jmp     print_byte
1:      mov     $small_text, %esi
        call    print
        jmp     power_off

/* --- memory --------------------------------------------------------------------------------- */

fill_memory:
        mov     ram, %eax
        shl     $8, %eax                /* 256 pages in a MiB */
        mov     %eax, pages
        xor     %ebx, %ebx
1:      cmp     pages, %ebx
        jae     2f
        xor     %ecx, %ecx
        call    write_page
        inc     %ebx
        jmp     1b
2:      ret

/* Rewrites the next `dirty` pages with their next generation, after a look at what was there. */
dirty_pages:
        mov     dirty, %ebp
1:      test    %ebp, %ebp
        jz      2f
        cmpl    $0, pages
        je      2f
        mov     dirty_next, %ebx
        mov     generation, %ecx
        call    check_page
        mov     generation, %ecx
        inc     %ecx
        call    write_page
        incl    dirty_next
        mov     dirty_next, %eax
        dec     %ebp
        cmp     pages, %eax
        jb      1b
        movl    $0, dirty_next
        incl    generation
        jmp     1b
2:      ret

/* Checks the next `check` pages; a whole round is worth a line. */
check_pages:
        mov     check, %ebp
1:      test    %ebp, %ebp
        jz      2f
        cmpl    $0, pages
        je      2f
        mov     check_next, %ebx
        mov     generation, %ecx
        cmp     dirty_next, %ebx        /* those before it have their next generation already */
        jae     3f
        inc     %ecx
3:      call    check_page
        incl    check_next
        mov     check_next, %eax
        dec     %ebp
        cmp     pages, %eax
        jb      1b
        movl    $0, check_next
        incl    rounds
        mov     $round_text, %esi
        call    print
        mov     rounds, %eax
        call    print_number
        jmp     1b
2:      ret

/* Page %ebx, generation %ecx: its address in %edi, the first word of its sequence in %eax. */
        .macro  page_start
        mov     %ebx, %edi
        shl     $12, %edi
        add     $MEMORY, %edi
        imul    $0x9e3779b1, %ebx, %eax
        imul    $0x85ebca6b, %ecx
        add     %ecx, %eax
        jnz     91f
        inc     %eax                    /* the sequence of zero is all zeroes */
91:     mov     $1024, %ecx
        .endm

        .macro  next_word               /* Marsaglia's xorshift32: 13, 17, 5 */
        mov     %eax, %edx
        shl     $13, %edx
        xor     %edx, %eax
        mov     %eax, %edx
        shr     $17, %edx
        xor     %edx, %eax
        mov     %eax, %edx
        shl     $5, %edx
        xor     %edx, %eax
        .endm

write_page:
        page_start
1:      next_word
        stosl
        dec     %ecx
        jnz     1b
        ret

check_page:
        page_start
1:      next_word
        cmp     (%edi), %eax
        jne     2f
        add     $4, %edi
        dec     %ecx
        jnz     1b
        ret
2:      mov     $bad_text, %esi
        call    print
        mov     %edi, %eax
        mov     $8, %ecx
3:      rol     $4, %eax                /* eight hexadecimal digits */
        mov     %eax, %edx
        and     $15, %edx
        push    %eax
        mov     hex(%edx), %al
        call    print_byte
        pop     %eax
        dec     %ecx
        jnz     3b
        mov     $'\n', %al
        jmp     print_byte

/* --- timer ---------------------------------------------------------------------------------- */

/* The PIT's channel 0 through the PIC, nothing else. Its interrupt only says that a tick is due. */
start_timer:
        xor     %ebx, %ebx
1:      mov     $fault, %eax            /* 0 to 31 are the processor's own */
        cmp     $IRQ0, %ebx
        jb      2f
        mov     $timer, %eax
        je      2f
        mov     $stray, %eax
2:      mov     %ax, idt(,%ebx,8)
        movw    $8, idt + 2(,%ebx,8)    /* our code segment */
        movw    $0x8e00, idt + 4(,%ebx,8)       /* an interrupt gate */
        shr     $16, %eax
        mov     %ax, idt + 6(,%ebx,8)
        inc     %ebx
        cmp     $256, %ebx
        jb      1b
        lidt    idt_pointer
        mov     $pic_setup, %esi
        mov     $(pic_setup_end - pic_setup) / 2, %ecx
1:      movzbl  (%esi), %edx            /* pairs of port and byte */
        mov     1(%esi), %al
        outb    %al, %dx
        add     $2, %esi
        dec     %ecx
        jnz     1b
        mov     $PIT_HZ, %eax
        xor     %edx, %edx
        divl    hz
        outb    %al, $0x40
        mov     %ah, %al
        outb    %al, $0x40
        ret

/* The PIC answers with its last vector when the line falls before it is asked, as a move may cause. */
stray:  iret

/* What should never happen is said, in its own words. */
fault:  mov     $fault_text, %esi
        call    print
1:      cli
        hlt
        jmp     1b

timer:  push    %eax
        movl    $1, due
        mov     $0x20, %al              /* end of interrupt */
        outb    %al, $0x20
        pop     %eax
        iret

/* --- COM1 ----------------------------------------------------------------------------------- */

/* Prints %al. Waits for room: a byte written into a full transmitter would be lost. */
print_byte:
        push    %edx
        push    %eax
        mov     $COM1 + 5, %edx
1:      inb     %dx, %al
        test    $0x20, %al
        jz      1b
        pop     %eax
        mov     $COM1, %edx
        outb    %al, %dx
        pop     %edx
        ret

/* Prints the text at %esi, up to its zero. */
print:  lodsb
        test    %al, %al
        jz      1f
        call    print_byte
        jmp     print
1:      ret

/* Prints %eax with eight digits, and ends the line. */
print_number:
        push    $8
        call    print_padded
        mov     $'\n', %al
        jmp     print_byte

/* Prints %eax with as many digits as it has. */
print_digits:
        push    $1
        call    print_padded
        ret

/* Prints %eax with at least as many digits as the caller pushed. */
print_padded:
        xor     %ecx, %ecx
        mov     $10, %ebx
1:      xor     %edx, %edx
        div     %ebx
        push    %edx
        inc     %ecx
        test    %eax, %eax
        jnz     1b
        lea     (,%ecx,4), %edx
        mov     4(%esp,%edx), %edx      /* the least number of digits */
2:      cmp     %edx, %ecx
        jae     3f
        push    $0
        inc     %ecx
        jmp     2b
3:      pop     %eax
        add     $'0', %al
        call    print_byte
        dec     %ecx
        jnz     3b
        ret     $4

/* --- data ----------------------------------------------------------------------------------- */

        .align  8
gdt:    .quad   0
        .quad   0x00cf9a000000ffff      /* 8: code, flat */
        .quad   0x00cf92000000ffff      /* 16: data, flat */
gdt_pointer:
        .word   23
        .long   gdt
idt_pointer:
        .word   8 * 256 - 1
        .long   idt
no_idt_pointer:
        .word   0
        .long   0

pic_setup:                              /* interrupts from IRQ0 on, only the timer's let through */
        .byte   0x20, 0x11, 0xa0, 0x11, 0x21, IRQ0, 0xa1, IRQ0 + 8
        .byte   0x21, 4, 0xa1, 2, 0x21, 1, 0xa1, 1, 0x21, 0xfe, 0xa1, 0xff
        .byte   0x43, 0x34              /* the PIT's channel 0: both bytes of the divisor, rate generator */
pic_setup_end:

options:
        .long   hz_name, hz, ram_name, ram, dirty_name, dirty, check_name, check
        .long   off_name, off, crash_name, crash, 0
hz:     .long   100
ram:    .long   4
dirty:  .long   0
check:  .long   64
off:    .long   0
crash:  .long   0

hz_name:        .asciz  "hz="
ram_name:       .asciz  "ram="
dirty_name:     .asciz  "dirty="
check_name:     .asciz  "check="
off_name:       .asciz  "off="
crash_name:     .asciz  "crash="
boot_text:      .asciz  "boot"
tick_text:      .asciz  "t "
round_text:     .asciz  "v "
bad_text:       .asciz  "bad "
off_text:       .asciz  "off\n"
crash_text:     .asciz  "crash\n"
fault_text:     .asciz  "fault\n"
small_text:     .asciz  "too little memory\n"
hex:            .ascii  "0123456789abcdef"

        .bss
        .align  16
due:    .long   0
ticks:  .long   0
rounds: .long   0
pages:  .long   0
dirty_next:     .long   0
generation:     .long   0
check_next:     .long   0
        .align  8
idt:    .skip   8 * 256
        .skip   4096
stack_end:
bss_end:
