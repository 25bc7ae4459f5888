/*
 * @peculiar/x509 registers its algorithms in a container that does not load without the
 * Reflect.metadata polyfill, and does not bring it along. Import that library only through this file.
 */
import "reflect-metadata";

export * from "@peculiar/x509";
